//! Why a row was rejected, in words.

use crate::model::{Code, Problem};

/// The codes of a row's problems, each once, in their order.
pub fn codes(problems: &[Problem]) -> Vec<Code> {
    let mut codes = Vec::new();
    for problem in problems {
        if !codes.contains(&problem.code) {
            codes.push(problem.code);
        }
    }
    codes
}

/// What is wrong with a row and what to do, one part a problem. It holds a value only
/// where a problem's detail does.
///
/// `columns` are the names that [`Problem::column`] points to.
pub fn message(problems: &[Problem], columns: &[impl AsRef<str>]) -> String {
    let parts: Vec<String> = problems.iter().map(|problem| part(problem, columns)).collect();
    parts.join("; ")
}

fn part(problem: &Problem, columns: &[impl AsRef<str>]) -> String {
    let name = problem.column.and_then(|column| columns.get(column as usize));
    let column = name.map(|name| format!("column `{}`: ", name.as_ref())).unwrap_or_default();
    let detail = problem.detail.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
    format!("{column}{}{detail}", problem.code.help())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: Code, column: Option<u32>, detail: Option<&str>) -> Problem {
        Problem { code, severity: code.severity(), column, detail: detail.map(Into::into) }
    }

    #[test]
    fn names_the_column_the_rule_and_the_detail() {
        let problems = [
            problem(Code::TypeBool, Some(1), None),
            problem(Code::ServerRefused, None, Some("400 TypeError: expected string")),
            problem(Code::TypeBool, Some(9), None),
        ];
        let bool_help =
            "the cell is not true or false; write one of the two, or map the column as string";
        assert_eq!(
            message(&problems, &["id", "active"]),
            format!(
                "column `active`: {bool_help}; the server refused this row when it was sent alone; \
                 its words say why (400 TypeError: expected string); {bool_help}"
            )
        );
        assert_eq!(codes(&problems), [Code::TypeBool, Code::ServerRefused]);
    }
}
