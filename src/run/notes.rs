//! The files of rejected rows and damaged stretches, written while rows are checked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Error, Surroundings,
    findings::Failures,
    inputs::{InputFile, Inputs},
};
use crate::decode::{Table, batch_schema};
use crate::model::{
    Code, Damage, RowFailure, Rows, Severity, Shaped, Tally, TextEncoding, printable,
};
use crate::report::{
    self, DamagedWriter, Edited, RejectsFile, RejectsWriter, SourceDialect, SourceFormat,
};
use crate::shape::plan::{Given, Plan};

/// The files of rejected rows and damaged stretches.
pub struct Notes<'a> {
    names: Vec<String>,
    encodings: Vec<TextEncoding>,
    columns: Vec<&'a str>,
    failures: &'a Failures,
    rejects: RejectsWriter,
    damaged: DamagedWriter,
}

impl<'a> Notes<'a> {
    /// Nothing written yet.
    pub fn new(
        inputs: &Inputs,
        plan: &'a Plan,
        failures: &'a Failures,
        dir: &Path,
        rejects_safe: bool,
    ) -> Self {
        let mut rejects = RejectsWriter::new(dir, rejects_safe);
        for (index, file) in inputs.files.iter().enumerate() {
            let format = match &file.table {
                Table::Csv { dialect, header, .. } => SourceFormat::Csv {
                    header: header.clone(),
                    dialect: SourceDialect {
                        delimiter: dialect.delimiter,
                        quote: dialect.quote,
                        escape: dialect.escape,
                        encoding: dialect.encoding,
                    },
                },
                Table::Ndjson(_) => SourceFormat::Ndjson,
                Table::Parquet(table) => {
                    SourceFormat::Parquet { schema: batch_schema(table.columns(), &file.wanted) }
                }
                Table::Arrow(table) => {
                    SourceFormat::Arrow { schema: batch_schema(table.columns(), &file.wanted) }
                }
            };
            rejects.declare_source(index as u32, format, &file.input.name(), given(file, plan));
        }
        Self {
            encodings: inputs.files.iter().map(|file| file.table.encoding()).collect(),
            names: inputs.files.iter().map(|file| file.input.name()).collect(),
            columns: plan.columns.iter().map(|column| column.source.as_str()).collect(),
            failures,
            rejects,
            damaged: DamagedWriter::new(dir),
        }
    }

    /// Writes what is wrong with a block, accepted rows that failed included.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn block(&mut self, block: &Shaped, tally: &mut Tally) -> Result<(), Error> {
        for damage in block.rows.damage() {
            let file = damage.position.file as usize;
            let (name, encoding) = (&self.names[file], self.encodings[file]);
            if encoding == TextEncoding::Utf8 {
                self.damaged.write(name, damage)?;
            } else {
                let mut raw = Vec::new();
                encoding.encode(&damage.raw, &mut raw);
                self.damaged.write(name, &Damage { raw, ..damage.clone() })?;
            }
        }
        let mut failed = Vec::new();
        if !self.failures.is_empty() {
            for element in &block.elements {
                let position = block.rows.position(element.row as usize);
                if let Some(failure) = self.failures.get(&position) {
                    tally.add(Severity::Reject, failure.code(), None, position);
                    failed.push((element.row, failure));
                }
            }
        }
        let mut failed = failed.into_iter().peekable();
        for reject in &block.rejects {
            while let Some((row, failure)) = failed.next_if(|&(row, _)| row < reject.row) {
                self.failed(&block.rows, row, failure)?;
            }
            let codes = report::codes(&reject.problems);
            let message = report::message(&reject.problems, &self.columns);
            self.write(&block.rows, reject.row, &codes, &message)?;
        }
        for (row, failure) in failed {
            self.failed(&block.rows, row, failure)?;
        }
        Ok(())
    }

    fn failed(&mut self, rows: &Arc<Rows>, row: u32, failure: &RowFailure) -> Result<(), Error> {
        let code = failure.code();
        if code == Code::InDoubt {
            return self.write(rows, row, &[code], code.help());
        }
        let request =
            failure.request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
        let message = format!(
            "the server refused this row: {} {}: {}{request}",
            failure.status, failure.kind, failure.message
        );
        self.write(rows, row, &[code], &message)
    }

    fn write(
        &mut self,
        rows: &Arc<Rows>,
        row: u32,
        codes: &[Code],
        message: &str,
    ) -> Result<(), Error> {
        Ok(self.rejects.write(rows, row as usize, codes, message)?)
    }

    /// Puts the files in their places.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(
        self,
        around: &Surroundings,
    ) -> Result<(Vec<RejectsFile>, Option<PathBuf>), Error> {
        let (files, edited) = self.rejects.finish()?;
        for Edited { path, kept } in edited {
            let [path, kept] = [path, kept].map(|path| path.display().to_string());
            around.progress.say(&printable(&format!(
                "{path} was edited since a run wrote it; what it held is now in {kept}"
            )));
        }
        Ok((files, self.damaged.finish()?))
    }
}

/// The columns that a file's place gave its rows, which do not have them themselves.
fn given(file: &InputFile, plan: &Plan) -> Vec<(String, Option<String>)> {
    let columns = plan.columns.iter().enumerate();
    let given = columns.filter_map(|(at, column)| {
        let value = match file.binding.given(at)? {
            Given::Text(text) => Some(text.clone()),
            Given::Absent => None,
        };
        Some((column.source.clone(), value))
    });
    given.collect()
}
