//! Bytes per second of each stage that works on rows, and of all of them together as `validate`
//! runs them; and of sending what they made. Every result is asserted before it is timed.

mod data;
mod send;
mod sink;

use std::{collections::BTreeMap, convert::Infallible, path::PathBuf, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

use data::ROWS;
use moebulk::decode::{
    Table,
    csv::{Dialect, Given},
};
use moebulk::model::{Body, Kind, Rate, Rows, Shaped};
use moebulk::pack::{Limits, Packer};
use moebulk::progress::{Mode, Progress};
use moebulk::run::{self, Job, RejectsMax, Stop, Surroundings, Window};
use moebulk::shape::{
    arrow_cells::declared,
    encode::{self, Spare, View},
    infer::Inference,
    plan::{Binding, Plan, Rules, SourceColumn},
};
use moebulk::source::Format;
use moebulk::wire::api::Api;
use moebulk::wire::limits::BODY_BYTES_MAX;

const LIMITS: Limits =
    Limits { body_bytes_max: BODY_BYTES_MAX, cut_users: None, cut_events: None, single: false };

/// One input file and all that the stages make of it.
struct Bench {
    format: &'static str,
    path: PathBuf,
    bytes: u64,
    table: Table,
    wanted: Vec<usize>,
    rows: Vec<Arc<Rows>>,
    plan: Plan,
    binding: Binding,
}

impl Bench {
    fn new(format: &'static str, path: PathBuf, bytes: u64) -> Self {
        let kind = match format {
            "csv" => Format::Csv { delimiter: b',' },
            _ => Format::Parquet,
        };
        let dialect = Dialect::default();
        let given = Given {
            dialect: &dialect,
            encoding: None,
            delimiter_given: true,
            quote_given: true,
            delimiter_by_name: b',',
            names: &[],
        };
        let table = Table::open(&path, 0, kind, &given, None, None).expect("a table");
        let column = |column: moebulk::decode::Column| SourceColumn {
            name: column.name,
            refusal: column.refusal,
            float: column.float,
            nested: column.nested,
            plain_lists: column.plain_lists,
            declared: column.data_type.as_ref().and_then(declared),
        };
        let columns: Vec<SourceColumn> = table.columns().into_iter().map(column).collect();
        let planned = Plan::by_name(Kind::Users, [columns.as_slice()]);
        let mut plan = Plan::new(Kind::Users, planned, Rules::default());
        let binding = plan.bind("the input", &columns, false).expect("a plan that fits");
        let wanted: Vec<usize> = (0..columns.len()).collect();
        let rows: Vec<Arc<Rows>> = decode(&table, &wanted).into_iter().map(Arc::new).collect();
        let mut inference = Inference::new(&plan);
        for rows in &rows {
            inference.merge(&Inference::observe(&plan, &binding, rows, &[]).expect("columns"));
        }
        assert_eq!(inference.resolve(&mut plan).len(), 0, "every value fits its column");
        Self { format, path, bytes, table, wanted, rows, plan, binding }
    }

    fn shape(&self) -> Vec<Shaped> {
        let shape = |rows: &Arc<Rows>| {
            encode::shape(
                &self.plan,
                &self.binding,
                Arc::clone(rows),
                View::default(),
                Spare::default(),
            )
            .expect("columns")
        };
        self.rows.iter().map(shape).collect()
    }

    fn job(&self, run_dir: PathBuf) -> Job {
        Job {
            inputs: vec![self.path.clone()],
            reads_stdin: true,
            kind: Kind::Users,
            api: Api::Bulk,
            mapping: None,
            dialect: Dialect::default(),
            encoding: None,
            delimiter_given: false,
            quote_given: false,
            rules: Rules::default(),
            only_changed: None,
            window: Window::default(),
            cut_users: None,
            cut_events: None,
            users: Rate::Unlimited,
            events: Rate::Unlimited,
            rejects_max: RejectsMax::Rows(0),
            accept_inferred: false,
            rejects_safe: false,
            excerpts: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            run_dir,
            shaping: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }
}

fn decode(table: &Table, wanted: &[usize]) -> Vec<Rows> {
    let mut reader = table.read(1..u64::MAX, wanted).expect("a reader");
    std::iter::from_fn(|| reader.next_rows().expect("a block")).collect()
}

fn count(blocks: &[Rows]) -> u64 {
    blocks.iter().map(|rows| (rows.len() + rows.damage().len()) as u64).sum()
}

fn pack(blocks: &[Shaped]) -> Vec<Body> {
    let mut bodies = Vec::new();
    let mut packer = Packer::new(LIMITS);
    let mut emit = |body| {
        bodies.push(body);
        Ok::<(), Infallible>(())
    };
    for block in blocks {
        let Ok(()) = packer.push(block, &mut emit);
    }
    let Ok(()) = packer.finish(emit);
    bodies
}

/// The digest of `report.json`.
fn digest(bodies: &[Body]) -> String {
    let hashes: Vec<u8> =
        bodies.iter().flat_map(|body| xxh3_128(&body.bytes).to_be_bytes()).collect();
    format!("{:032x}", xxh3_128(&hashes))
}

fn stages(c: &mut Criterion) {
    let dir = TempDir::new().expect("a temporary directory");
    let (csv, parquet) = (dir.path().join("users.csv"), dir.path().join("users.parquet"));
    let sizes = [data::write_csv(&csv), data::write_parquet(&parquet)];
    let mut digests = Vec::new();
    for (format, path, bytes) in [("csv", csv, sizes[0]), ("parquet", parquet, sizes[1])] {
        let bench = Bench::new(format, path, bytes);
        digests.push(bench_file(c, &bench, &dir));
    }
    assert_eq!(digests[0], digests[1], "both files hold the same rows");
}

/// Benches all stages on one file; gives the digest of its bodies.
fn bench_file(c: &mut Criterion, bench: &Bench, dir: &TempDir) -> String {
    let Bench { format, bytes, table, wanted, .. } = bench;
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(*bytes));
    assert_eq!(count(&decode(table, wanted)), ROWS);
    group.bench_function(*format, |b| b.iter(|| decode(table, wanted)));
    group.finish();

    let shaped = bench.shape();
    assert_eq!(shaped.iter().map(|block| block.elements.len() as u64).sum::<u64>(), ROWS);
    let json_bytes: u64 = shaped.iter().map(|block| block.json.len() as u64).sum();
    let mut group = c.benchmark_group("shape");
    group.throughput(Throughput::Bytes(json_bytes));
    group.bench_function(*format, |b| b.iter(|| bench.shape()));
    group.finish();

    let bodies = pack(&shaped);
    assert_eq!(bodies.iter().map(|body| body.users).sum::<u64>(), ROWS);
    let expected = digest(&bodies);
    // The packer does not see the format: once is enough.
    if *format == "csv" {
        let mut group = c.benchmark_group("pack");
        group.throughput(Throughput::Bytes(json_bytes));
        group.bench_function("json", |b| b.iter(|| pack(&shaped)));
        group.finish();
        send::alone(c, &bodies);
        send::import(c, bench, bodies.iter().map(|body| body.bytes.len() as u64).sum(), dir);
    }

    let job = bench.job(dir.path().join("run"));
    let progress = Progress::new(Mode::Off);
    let (stop, _ask) = Stop::new();
    let around = Surroundings { progress: &progress, stop: &stop };
    let validate = || run::validate(&job, &around).expect("an outcome").summary;
    let summary = validate();
    assert_eq!((summary.rows.read, summary.rows.accepted), (ROWS, ROWS));
    assert_eq!(summary.bodies.digest, expected);
    let mut group = c.benchmark_group("validate");
    group.throughput(Throughput::Bytes(*bytes));
    group.bench_function(*format, |b| b.iter(validate));
    group.finish();
    expected
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stages
}
criterion_main!(benches);
