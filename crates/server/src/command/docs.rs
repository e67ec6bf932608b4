//! The command reference, made from the table.

use super::{Command, FAMILIES, Family};

/// `docs/commands.md`, as it must be in the repository.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Commands\n\n\
         <!-- GENERATED from the command table: TANDEM_WRITE_DOCS=1 cargo test -p tandem-server --test docs -->\n\n\
         What a Tandem server answers to a Redis client. Replies, error words and edge cases are those of Redis 7.0,\n\
         in RESP2 and RESP3; every other command gets Redis' `ERR unknown command`. How the few differences come\n\
         about is said in [server.md](server.md).\n",
    );
    for Family { title, commands } in FAMILIES {
        text += &format!("\n## {title}\n\n| command | meaning | cost |\n|---|---|---|\n");
        for command in *commands {
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
