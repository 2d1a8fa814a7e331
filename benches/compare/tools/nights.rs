//! Two nightly exports of twelve columns: the first, and what became of it a day later.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use fastrand::Rng;

const HEADER: &str = "customer_id,first_name,last_name,email,mobile,city,plan,score,visits,is_member,\
    joined,last_seen";

const NAMES: [&str; 8] = ["Anna", "Bilal", "Chiara", "Diego", "Emeka", "Freya", "Goran", "Hana"];
const CITIES: [&str; 6] = ["Pune", "Berlin", "São Paulo", "Jakarta", "Nairobi", "Lyon"];
const PLANS: [&str; 4] = ["free", "basic", "plus", "family"];

/// One row in so many is another the second night; one in ten times as many is gone, and as many
/// are new.
const CHANGED_ONE_IN: u64 = 100;

/// Writes `night1.csv`, unless only the second is wanted, `night2.csv` and, last, `nights.json`, which
/// says how they differ.
pub fn write(dir: &Path, rows: u64, both: bool) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let gone_one_in = 10 * CHANGED_ONE_IN;
    let (mut changed, mut gone) = (0_u64, 0_u64);
    let mut one = if both { Some(begin(&dir.join("night1.csv"))?) } else { None };
    let mut two = begin(&dir.join("night2.csv"))?;
    for number in 0..rows {
        if let Some(one) = &mut one {
            put(one, number, 0)?;
        }
        let is_gone = number % gone_one_in == 7;
        let is_changed = number % CHANGED_ONE_IN == 3;
        gone += u64::from(is_gone);
        changed += u64::from(is_changed);
        if !is_gone {
            put(&mut two, number, u64::from(is_changed))?;
        }
    }
    let new = rows / gone_one_in;
    for number in rows..rows + new {
        put(&mut two, number, 0)?;
    }
    if let Some(one) = &mut one {
        one.flush()?;
    }
    two.flush()?;
    let counts = format!(
        "{{\"rows\":{},\"changed\":{changed},\"new\":{new},\"vanished\":{gone}}}\n",
        rows - gone + new
    );
    std::fs::write(dir.join("nights.json"), counts)?;
    Ok(())
}

fn begin(path: &Path) -> Result<BufWriter<File>, Box<dyn Error>> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(file, "{HEADER}")?;
    Ok(file)
}

/// A user by number, as often as it was changed.
fn put(to: &mut impl Write, number: u64, changes: u64) -> std::io::Result<()> {
    let mut rng = Rng::with_seed(number);
    let first = NAMES[rng.usize(..NAMES.len())];
    let last = NAMES[rng.usize(..NAMES.len())];
    let city = CITIES[rng.usize(..CITIES.len())];
    let plan = PLANS[rng.usize(..PLANS.len())];
    let (score, visits) = (rng.u32(..100_000), rng.u32(..5_000) + changes as u32);
    let (month, day) = (rng.u32(1..=12), rng.u32(1..=28));
    let (hour, minute) = (rng.u32(..24), rng.u32(..60));
    writeln!(
        to,
        "U{number:010},{first},{last},{first}.{last}.{number}@example.com,+4915{:08},{city},{plan},\
         {}.{:02},{visits},{},20{:02}-{month:02}-{day:02},2026-11-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        rng.u32(..100_000_000),
        score / 100,
        score % 100,
        rng.bool(),
        rng.u32(10..26),
        rng.u32(..60),
    )
}
