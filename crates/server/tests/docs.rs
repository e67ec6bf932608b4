//! `docs/commands.md` says what the command table says.

#[test]
fn the_command_reference_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
    let expected = tandem_server::commands_markdown();
    if std::env::var_os("TANDEM_WRITE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/commands.md is out of date; run: TANDEM_WRITE_DOCS=1 cargo test -p tandem-server --test docs"
    );
}
