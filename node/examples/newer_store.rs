//! Sets the schema version in a store and prints the one before it: for tests of what is said to a newer Muster's store.
//!
//! `cargo run --example newer_store -- FILE VERSION`

use std::error::Error;
use std::io::Write;

use redb::{Database, TableDefinition};

/// Where a store keeps its schema version, under the key `schema`.
const META: TableDefinition<'_, &'static str, u64> = TableDefinition::new("meta");

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let file = words.next().ok_or("name the file of a store")?;
    let version: u64 = words.next().and_then(|word| word.to_str()?.parse().ok()).ok_or("name a version")?;
    let database = Database::open(file)?;
    let transaction = database.begin_write()?;
    let mut meta = transaction.open_table(META)?;
    let before = meta.insert("schema", version)?.ok_or("no store of muster")?.value();
    drop(meta);
    transaction.commit()?;
    writeln!(std::io::stdout(), "{before}")?;
    Ok(())
}
