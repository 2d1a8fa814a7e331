//! Files that are cut short, or are none.

use crate::{file, options, stream, support::Lab, users};

/// The exit code of `validate` and what it says.
fn validate(lab: &Lab, name: &str, bytes: &[u8]) -> (i32, String) {
    lab.write(name, bytes);
    let ran = lab.run(&["validate", name, "--run-dir", "run"]);
    (ran.code, ran.stderr)
}

#[test]
fn a_file_that_is_cut_short_is_refused_wherever_it_ends() {
    let batches = [users(0, 3), users(3, 2)];
    let whole = file(&batches[0].schema(), &batches, options(None));
    let lab = Lab::new();
    for len in (0..whole.len()).step_by(7) {
        let (code, said) = validate(&lab, "rows.arrow", &whole[..len]);
        assert_eq!(code, 4, "{len}: {said}");
        let is_named =
            ["is cut short", "neither an Arrow file"].iter().any(|words| said.contains(words));
        assert!(is_named && !said.contains("bug"), "{len}: {said}");
    }
    assert_eq!(validate(&lab, "rows.arrow", &whole).0, 0);
}

#[test]
fn a_stream_that_is_cut_inside_a_message_is_refused() {
    let batches = [users(0, 3), users(3, 2)];
    let one = stream(&batches[0].schema(), &batches[..1], options(None));
    let whole = stream(&batches[0].schema(), &batches, options(None));
    // Where a message ends, a stream may end too, with its mark or without.
    let ends = [one.len() - 8, whole.len() - 8, whole.len()];
    let lab = Lab::new();
    let mut sound = Vec::new();
    for len in 8..=whole.len() {
        if !ends.contains(&len) && len % 5 != 0 {
            continue;
        }
        let (code, said) = validate(&lab, "rows.arrows", &whole[..len]);
        match code {
            0 => sound.push(len),
            4 => assert!(said.contains("is cut short"), "{len}: {said}"),
            // The schema alone is a stream of no rows.
            code => assert!(code == 0, "{len}: {code} {said}"),
        }
    }
    assert!(ends.iter().all(|end| sound.contains(end)), "{sound:?}");
    assert!(sound.len() <= ends.len() + 2, "{sound:?}");
    let (code, said) = validate(&lab, "rows.arrows", &[whole.as_slice(), &whole].concat());
    assert_eq!(code, 4);
    assert!(said.contains("bytes follow the end of the stream"), "{said}");
}

#[test]
fn what_is_no_arrow_file_is_named() {
    let lab = Lab::new();
    for (bytes, words) in [
        (b"customer_id,a\nuser-1,2\n".as_slice(), "neither an Arrow file"),
        (b"", "neither an Arrow file"),
        (b"FEA1 and more", "Feather file of version 1"),
        (b"ARROW1\0\0", "is cut short"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "is cut short"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", "neither an Arrow file"),
    ] {
        let (code, said) = validate(&lab, "rows.arrow", bytes);
        assert_eq!(code, 4, "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}
