//! Real files with a few bytes changed: rows, rejects or an error, never a bug.

use std::{fs, path::Path};

use crate::watched::Cage;

/// One change of a few bytes, or a cut.
fn mutated(rng: &mut fastrand::Rng, mut bytes: Vec<u8>, tail: usize) -> Vec<u8> {
    for _ in 0..rng.usize(1..5) {
        if bytes.is_empty() {
            break;
        }
        // Half of the changes hit the end, where a Parquet file has its footer.
        let from = if rng.bool() { bytes.len().saturating_sub(tail) } else { 0 };
        let at = rng.usize(from..bytes.len());
        match rng.u8(..8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => _ = bytes.remove(at),
            3 => bytes[at] = [0, 0xff, 0x7f, b'"', b'\n'][rng.usize(..5)],
            _ => bytes[at] ^= 1 << rng.u8(..8),
        }
    }
    bytes
}

/// Runs `validate` on mutations of every file; the exit codes seen.
fn run(files: &[(String, Vec<u8>)], each: usize, tail: usize) -> Vec<i32> {
    let mut rng = fastrand::Rng::with_seed(11);
    let cage = Cage::new();
    let mut codes = vec![];
    for (name, bytes) in files {
        for _ in 0..each {
            let bytes = mutated(&mut rng, bytes.clone(), tail);
            cage.write(name, bytes);
            let ran = cage.run(&["validate", name]);
            assert!([0, 1, 2, 4].contains(&ran.code), "{name}: {} {}", ran.code, ran.stderr);
            codes.push(ran.code);
        }
    }
    codes
}

fn files(folder: &str, ending: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| name.ends_with(ending))
        .map(|(name, path)| (name, fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

#[test]
fn parquet_of_every_codec_and_encoding_survives_changed_bytes() {
    let codes = run(&files("fuzz/seeds/parquet", ".parquet"), 40, 400);
    assert_eq!(codes.len(), 240);
    assert!(codes.contains(&4) && codes.contains(&0));
}

#[test]
fn csv_survives_changed_bytes() {
    let files: Vec<_> = files("samples", ".csv")
        .into_iter()
        .map(|(name, bytes)| (name, bytes[..bytes.len().min(20_000)].to_vec()))
        .collect();
    let codes = run(&files, 40, 2_000);
    assert!(codes.len() >= 80 && codes.contains(&1));
}
