//! The command reference, made from the table.

use super::{Command, FAMILIES};

/// Titles of the families, in the order of [`FAMILIES`].
const TITLES: [&str; FAMILIES.len()] =
    ["Connection", "Strings", "Strings, read and changed in one step", "Keys", "Expiry", "Keyspace", "Server"];

/// `docs/commands.md`, as it must be in the repository.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Commands\n\n\
         <!-- GENERATED from the command table: TANDEM_WRITE_DOCS=1 cargo test -p tandem-server --test docs -->\n\n\
         What a Tandem server answers to a Redis client. Replies, error words and edge cases are those of Redis 7.0,\n\
         in RESP2 and RESP3; every other command gets Redis' `ERR unknown command`. How the few differences come\n\
         about is said in [server.md](server.md).\n",
    );
    for (title, family) in TITLES.iter().zip(FAMILIES) {
        text += &format!("\n## {title}\n\n| command | meaning | cost |\n|---|---|---|\n");
        for command in family {
            text += &row(command);
            command.subcommands.iter().for_each(|subcommand| text += &row(subcommand));
        }
    }
    text
}

fn row(command: &Command) -> String {
    let escape = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} | {} |\n", escape(command.syntax), escape(command.summary), escape(command.complexity))
}
