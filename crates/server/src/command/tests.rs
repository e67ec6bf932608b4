use super::*;

#[test]
fn names_are_lower_case_and_unique() {
    let mut names: Vec<&str> = all().map(|command| command.name).collect();
    assert!(names.iter().all(|name| !name.is_empty() && name.to_lowercase() == *name));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_entry_is_complete() {
    for command in all().flat_map(|command| std::iter::once(command).chain(command.subcommands)) {
        assert!(command.arity != 0, "{}", command.name);
        assert!(!command.summary.is_empty() && !command.summary.ends_with('.'), "{}", command.name);
        assert!(command.syntax.to_lowercase().contains(command.name), "{}", command.name);
        assert_eq!(command.keys.first == 0, command.keys == Keys::NONE, "{}", command.name);
    }
}
