use super::pattern::{Captured, Fault, find_plain, search};

fn captures(subject: &str, pattern: &str) -> Option<(usize, usize, Vec<String>)> {
    let found = search(subject.as_bytes(), pattern.as_bytes(), 0, true, &|| false).unwrap()?;
    let shown = found.captures.iter().map(|one| match one {
        Captured::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Captured::Position(at) => format!("@{at}"),
    });
    Some((found.start, found.end, shown.collect()))
}

#[test]
fn patterns_match_as_in_lua() {
    for (subject, pattern, expected) in [
        ("hello world", "o w", Some((4, 7, vec![]))),
        ("key = value", "^(%w+)%s*=%s*(%w+)$", Some((0, 11, vec!["key", "value"]))),
        ("  trim  ", "^%s*(.-)%s*$", Some((0, 8, vec!["trim"]))),
        ("f(a(b)c)d", "%b()", Some((1, 8, vec![]))),
        ("THE (quick) fox", "%f[%a]%a+%f[%A]", Some((0, 3, vec![]))),
        ("abab", "(ab)%1", Some((0, 4, vec!["ab"]))),
        ("abc", "()b()", Some((1, 2, vec!["@2", "@3"]))),
        ("a-z", "[%-]", Some((1, 2, vec![]))),
        ("]x", "[]]", Some((0, 1, vec![]))),
        ("x", "[^]]", Some((0, 1, vec![]))),
        ("b", "[a-c]", Some((0, 1, vec![]))),
        ("-", "[a-]", Some((0, 1, vec![]))),
        ("abc", "x", None),
        ("abc", "^b", None),
        ("aaa", "a-b", None),
        ("", "a*", Some((0, 0, vec![]))),
        ("ab", "a\0x", Some((0, 1, vec![]))),
        ("ac", "ab?c", Some((0, 2, vec![]))),
    ] {
        let expected = expected.map(|(start, end, texts)| (start, end, texts.into_iter().map(String::from).collect()));
        assert_eq!(captures(subject, pattern), expected, "{subject:?} {pattern:?}");
    }
}

#[test]
fn wrong_patterns_are_errors() {
    for pattern in ["%", "[a", "(a", "a)", "%b", "%bx", "%f", "%1", "[%"] {
        let found = search(b"aaa", pattern.as_bytes(), 0, true, &|| false);
        assert!(matches!(found, Err(Fault::Malformed(_))), "{pattern:?}: {found:?}");
    }
    let deep = "a?".repeat(1_000);
    assert!(matches!(search(&[b'a'; 2_000], deep.as_bytes(), 0, true, &|| false), Err(Fault::Malformed(_))));
}

#[test]
fn searches_give_up_in_time() {
    let subject = vec![b'a'; 10_000];
    assert_eq!(search(&subject, b".-.-.-.-.-.-b", 0, true, &|| true), Err(Fault::TimeUp));
    assert_eq!(find_plain(&subject, &[&subject[..5_000], b"b"].concat(), 0, &|| true), Err(Fault::TimeUp));
    assert_eq!(find_plain(b"abc", b"", 3, &|| false), Ok(Some(3)));
    assert_eq!(find_plain(b"abc", b"c", 0, &|| false), Ok(Some(2)));
    assert_eq!(find_plain(b"abc", b"abcd", 0, &|| false), Ok(None));
}
