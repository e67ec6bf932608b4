use super::*;

const LIMIT: usize = 64;

/// Everything that a stream of lines comes to.
fn lines(stream: &[u8]) -> Vec<Result<TextRequest<'_>, TextError>> {
    let (mut parser, mut at, mut seen) = (TextParser::default(), 0, Vec::new());
    loop {
        let step = parser.next(&stream[at..], TextFraming::Line, LIMIT);
        at += step.consumed;
        seen.extend(step.request);
        if step.consumed == 0 {
            return seen;
        }
    }
}

fn message(bytes: &[u8]) -> Result<TextRequest<'_>, TextError> {
    let step = TextParser::default().next(bytes, TextFraming::Message, LIMIT);
    assert_eq!(step.consumed, bytes.len());
    step.request.unwrap()
}

#[test]
fn every_request_is_understood() {
    let get = |key| Ok(TextRequest::Get { key });
    let set = |key, value| Ok(TextRequest::Set { key, value });
    for (line, request) in [
        (&b"get||k"[..], get(&b"k"[..])),
        (b"GeT||a b|c", get(b"a b|c")),
        (b"get||", get(b"")),
        (b"set||k||v", set(b"k", &b"v"[..])),
        (b"set||k||", set(b"k", b"")),
        (b"set||||", set(b"", b"")),
        (b"set||k||a||b", set(b"k", b"a||b")),
        (b"set||k|||", set(b"k", b"|")),
        (b"set|||k||v", set(b"|k", b"v")),
        (b"SET||\xFF\0||\x80\0", set(b"\xFF\0", b"\x80\0")),
        (b"del||k", Ok(TextRequest::Delete { key: b"k" })),
        (b"auth||a||b", Ok(TextRequest::Auth { password: b"a||b" })),
        (b"auth||", Ok(TextRequest::Auth { password: b"" })),
        (b"exit", Ok(TextRequest::Exit)),
        (b"END", Ok(TextRequest::Exit)),
        (b"POST / HTTP/1.1", Ok(TextRequest::Web)),
        (b"host:x", Ok(TextRequest::Web)),
        (b"fetch||k", Err(TextError::Unknown)),
    ] {
        assert_eq!(lines(&[line, b"\n"].concat()), [request], "{:?}", String::from_utf8_lossy(line));
        assert_eq!(lines(&[line, b"\r\n"].concat()), [request], "{:?}", String::from_utf8_lossy(line));
        assert_eq!(message(line), request, "{:?}", String::from_utf8_lossy(line));
    }
    for line in [
        "",
        "hello",
        "get",
        "get|k",
        "set||k",
        "set||k|v",
        "get||a||b",
        "del||a||b",
        "||k",
        "g t||k",
        "get1||k",
        "exit||",
        "end||x",
    ] {
        assert!(matches!(lines(format!("{line}\n").as_bytes())[..], [Err(TextError::Malformed(_))]), "{line:?}");
    }
}

#[test]
fn only_one_carriage_return_belongs_to_the_line_break() {
    assert_eq!(lines(b"set||k||v\r\r\n"), [Ok(TextRequest::Set { key: b"k", value: b"v\r" })]);
    assert_eq!(lines(b"set||k||a\rb\n"), [Ok(TextRequest::Set { key: b"k", value: b"a\rb" })]);
}

#[test]
fn a_message_is_taken_as_it_is() {
    assert_eq!(message(b"set||k||a\r\nb\r\n"), Ok(TextRequest::Set { key: b"k", value: b"a\r\nb\r\n" }));
    assert_eq!(message(b"get||k\n"), Ok(TextRequest::Get { key: b"k\n" }));
    assert_eq!(message(b"exit\r\n"), Ok(TextRequest::Exit));
    assert_eq!(message(&[b'x'; LIMIT + 1]), Err(TextError::TooLong { limit: LIMIT }));
    let nothing = TextParser::default().next(b"", TextFraming::Message, LIMIT);
    assert_eq!(nothing, TextStep::INCOMPLETE);
}

#[test]
fn a_line_that_is_too_long_is_reported_once_and_dropped() {
    let fits = [b"set||k||".to_vec(), vec![b'x'; LIMIT - 8]].concat();
    let too_long = Err(TextError::TooLong { limit: LIMIT });
    assert!(matches!(lines(&[&fits[..], b"\r\n"].concat())[..], [Ok(TextRequest::Set { .. })]));
    let stream = [&fits[..], b"xx\r\nget||a\n", &[b'y'; 5 * LIMIT], b"\nget||b\n"].concat();
    let expected = [too_long, Ok(TextRequest::Get { key: b"a" }), too_long, Ok(TextRequest::Get { key: b"b" })];
    assert_eq!(lines(&stream), expected);
    // The same when it comes byte by byte.
    let (mut parser, mut start, mut seen) = (TextParser::default(), 0, Vec::new());
    for end in 0..=stream.len() {
        loop {
            let step = parser.next(&stream[start..end], TextFraming::Line, LIMIT);
            start += step.consumed;
            seen.extend(step.request);
            if step.consumed == 0 || start == end {
                break;
            }
        }
        assert!(end - start <= LIMIT + 2, "what has to be kept is bounded");
    }
    assert_eq!(seen, expected);
}

#[test]
fn the_first_bytes_decide() {
    use Opening::{Resp, Text, Undecided, Web};
    for (bytes, line, in_message) in [
        ("", Undecided, Undecided),
        ("g", Undecided, Undecided),
        ("get|", Undecided, Undecided),
        ("get||", Text, Text),
        ("anything||", Text, Text),
        ("get| |", Resp, Resp),
        ("GET k\r\n", Resp, Resp),
        ("PING\r\n", Resp, Resp),
        ("exit", Undecided, Text),
        ("exit\r", Undecided, Text),
        ("eXit\r\n", Text, Text),
        ("end\nget||k\n", Text, Text),
        ("exit ", Resp, Resp),
        ("exits\n", Resp, Resp),
        ("*1\r\n", Resp, Resp),
        ("||k", Resp, Resp),
        ("|", Resp, Resp),
        ("\r\n", Resp, Resp),
        ("POST", Undecided, Undecided),
        ("POST /", Web, Web),
        ("post ", Web, Web),
        ("Host", Undecided, Undecided),
        ("HOST:", Web, Web),
        ("POSTS", Undecided, Undecided),
        ("abcdefghijklmnopqrstuvwxyzabcdef", Undecided, Undecided),
        ("abcdefghijklmnopqrstuvwxyzabcdefg", Resp, Resp),
    ] {
        assert_eq!(recognise(bytes.as_bytes(), TextFraming::Line), line, "{bytes:?}");
        assert_eq!(recognise(bytes.as_bytes(), TextFraming::Message), in_message, "{bytes:?}");
    }
}
