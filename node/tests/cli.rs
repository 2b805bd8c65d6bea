//! What the command line says of itself, kept as golden files in `tests/cli`; `TRYCMD=overwrite` renews them.

#[test]
fn help_and_refusals_are_as_written_down() {
    trycmd::TestCases::new().env("COLUMNS", "100").env("TZ", "UTC").case("tests/cli/*.trycmd");
}
