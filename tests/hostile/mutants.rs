//! Real files with a few bytes changed: rows, rejects or an error, never a bug.

use std::{fs, path::Path};

use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};

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
fn arrow_files_and_streams_survive_changed_bytes() {
    let batches = crate::arrow::batches();
    let schema = batches[0].schema();
    let mut files = Vec::new();
    for (name, codec) in [
        ("plain", None),
        ("zstd", Some(CompressionType::ZSTD)),
        ("lz4", Some(CompressionType::LZ4_FRAME)),
    ] {
        let options = || IpcWriteOptions::default().try_with_compression(codec).expect("a codec");
        let mut file =
            FileWriter::try_new_with_options(Vec::new(), &schema, options()).expect("a writer");
        batches.iter().for_each(|batch| file.write(batch).expect("rows"));
        files.push((format!("{name}.arrow"), file.into_inner().expect("a footer")));
        let mut stream =
            StreamWriter::try_new_with_options(Vec::new(), &schema, options()).expect("a writer");
        batches.iter().for_each(|batch| stream.write(batch).expect("rows"));
        files.push((format!("{name}.arrows"), stream.into_inner().expect("an end")));
    }
    let codes = run(&files, 60, 700);
    assert_eq!(codes.len(), 360);
    assert!(codes.contains(&4) && codes.contains(&0));
}

#[test]
fn ndjson_survives_changed_bytes() {
    let lines: String = (0..200)
        .map(|at| {
            format!(
                "{{\"customer_id\":\"user-{at}\",\"n\":-{at}.5e3,\"t\":\"\\u00e9\\ud83d\\ude00\",\"o\":{{\"a\":[1,null]}}}}\n"
            )
        })
        .collect();
    let codes = run(&[("rows.ndjson".to_owned(), lines.into_bytes())], 120, 2_000);
    assert!(codes.contains(&1) && codes.contains(&0));
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
