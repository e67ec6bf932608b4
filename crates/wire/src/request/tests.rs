use super::*;

const LIMITS: Limits = Limits { args: 8, bulk_bytes: 32, line_bytes: 64, request_bytes: 128, unauthenticated: false };

/// Feeds `stream` in pieces that end at `cuts` and returns every request, and the error that ended it.
fn parse_in_pieces(stream: &[u8], cuts: &[usize]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut parser = RequestParser::default();
    let (mut requests, mut start) = (Vec::new(), 0);
    for &end in cuts.iter().chain([&stream.len()]) {
        loop {
            let buffer = &stream[start..end];
            match parser.parse(buffer, &LIMITS) {
                Ok(Progress::Complete { consumed }) => {
                    requests.push(parser.args(buffer).iter().map(<[u8]>::to_vec).collect());
                    start += consumed;
                }
                Ok(Progress::Incomplete { needed }) => {
                    assert!(needed > buffer.len(), "must ask for more than it has seen");
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn parse(stream: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    parse_in_pieces(stream, &[])
}

fn error_of(stream: &[u8]) -> String {
    parse(stream).1.map(|error| error.to_string()).unwrap_or_else(|| "no error".into())
}

#[test]
fn a_pipeline_is_taken_apart() {
    let (requests, error) = parse(b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\nGET k\r\n*0\r\n\r\n");
    assert_eq!(error, None);
    let expected: Vec<Vec<&[u8]>> = vec![vec![b"PING"], vec![b"SET", b"k", b""], vec![b"GET", b"k"], vec![], vec![]];
    assert_eq!(requests, expected);
}

#[test]
fn the_cut_into_packets_does_not_matter() {
    let stream =
        b"*3\r\n$3\r\nSET\r\n$3\r\na\r\n\r\n$11\r\nhello\r\nyou!\r\nSET \"x y\" 'z'\r\n*-1\r\n*1\r\n$4\r\nPING\r\n";
    let whole = parse(stream);
    assert_eq!(whole.0.len(), 4);
    for cut in 0..=stream.len() {
        assert_eq!(parse_in_pieces(stream, &[cut]), whole, "cut at {cut}");
        for second in cut..=stream.len() {
            assert_eq!(parse_in_pieces(stream, &[cut, second]), whole, "cut at {cut} and {second}");
        }
    }
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    assert_eq!(parse_in_pieces(stream, &every_byte), whole);
}

#[test]
fn errors_do_not_depend_on_the_cut_either() {
    for stream in [&b"*1\r\n$4\r\nPING\r\n*x\r\n"[..], b"*2\r\n$1\r\na\r\n:1\r\n", b"*1\r\n$-1\r\n", b"\"a\r\n"] {
        let whole = parse(stream);
        assert!(whole.1.is_some());
        for cut in 0..=stream.len() {
            assert_eq!(parse_in_pieces(stream, &[cut]), whole, "{stream:?} cut at {cut}");
        }
    }
}

#[test]
fn errors_use_the_words_of_redis() {
    for (stream, words) in [
        (&b"*abc\r\n"[..], "Protocol error: invalid multibulk length"),
        (b"*9\r\n", "Protocol error: invalid multibulk length"),
        (b"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"),
        (b"*01\r\n", "Protocol error: invalid multibulk length"),
        (b"*1\r\n:4\r\n", "Protocol error: expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$33\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$9223372036854775808\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$x\r\n", "Protocol error: invalid bulk length"),
        (b"GET 'a\r\n", "Protocol error: unbalanced quotes in request"),
    ] {
        assert_eq!(error_of(stream), words, "{}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn the_byte_instead_of_a_dollar_is_shown_as_it_is() {
    for byte in [b':', 0x80, 0xFF] {
        let mut out = Vec::new();
        ProtocolError::ExpectedBulk(byte).reply(&mut out);
        assert_eq!(out, [b"-ERR Protocol error: expected '$', got '".as_slice(), &[byte], b"'\r\n"].concat());
    }
}

#[test]
fn lines_that_never_end_are_cut_off() {
    for (prefix, words) in [
        (&b"*"[..], "Protocol error: too big mbulk count string"),
        (b"*1\r\n$", "Protocol error: too big bulk count string"),
        (b"", "Protocol error: too big inline request"),
    ] {
        let endless = [prefix, &[b'1'; LIMITS.line_bytes + 1][..]].concat();
        assert_eq!(error_of(&endless), words);
        assert_eq!(error_of(&endless[..endless.len() - 1]), "no error");
    }
}

#[test]
fn the_whole_request_is_bounded() {
    let argument = b"$32\r\n01234567890123456789012345678901\r\n";
    let stream = [&b"*4\r\n"[..], argument, argument, argument, argument].concat();
    assert_eq!(error_of(&stream), "Protocol error: request too long");
}

#[test]
fn an_announced_count_reserves_nothing() {
    let mut parser = RequestParser::default();
    let limits = Limits { args: 1 << 30, ..Limits::default() };
    assert!(matches!(parser.parse(b"*1073741824\r\n", &limits), Ok(Progress::Incomplete { .. })));
    assert_eq!(parser.spans.capacity(), 0);
}

#[test]
fn a_large_request_leaves_no_memory_behind() {
    let limits = Limits::default();
    let mut stream = b"*5000\r\n".to_vec();
    for _ in 0..5000 {
        stream.extend_from_slice(b"$1\r\nx\r\n");
    }
    let mut parser = RequestParser::default();
    assert!(matches!(parser.parse(&stream[..stream.len() - 20], &limits), Ok(Progress::Incomplete { .. })));
    // Half-way nothing may go that is still needed.
    parser.trim();
    assert_eq!(parser.parse(&stream, &limits), Ok(Progress::Complete { consumed: stream.len() }));
    assert_eq!(parser.args(&stream).len(), 5000);
    parser.trim();
    assert_eq!(parser.spans.capacity(), 0);
}
