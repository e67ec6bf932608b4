//! Streams of the double-bar text protocol.

use tandem_wire::text::{Opening, TextFraming, TextParser, recognise};

use crate::server::talk;

const LIMIT: usize = 64;

/// The first byte says where the stream is cut in two.
pub fn run(data: &[u8]) {
    let Some((&place, stream)) = data.split_first() else { return };
    let cut = usize::from(place) * stream.len() / 255;
    assert_eq!(parsed(stream, stream.len()), parsed(stream, cut), "the cut matters");
    // Once it is decided, more bytes change nothing.
    let early = recognise(&stream[..cut], TextFraming::Line);
    if early != Opening::Undecided {
        assert_eq!(recognise(stream, TextFraming::Line), early);
    }
    let answers = talk(&[b"get||a\n", stream].concat(), cut);
    for line in answers.split_inclusive(|&byte| byte == b'\n') {
        let known = matches!(line, [b'0'..=b'4', b'|', b'|', .., b'\n']);
        assert!(known, "not an answer: {:?}", String::from_utf8_lossy(line));
    }
}

/// What a stream comes to that arrives in two parts.
fn parsed(stream: &[u8], cut: usize) -> Vec<String> {
    let (mut parser, mut start, mut seen) = (TextParser::default(), 0, Vec::new());
    for end in [cut, stream.len()] {
        loop {
            let step = parser.next(&stream[start..end], TextFraming::Line, LIMIT);
            assert!(start + step.consumed <= end);
            start += step.consumed;
            seen.extend(step.request.map(|request| format!("{request:?}")));
            if step.consumed == 0 || start == end {
                break;
            }
        }
        assert!(end - start <= LIMIT + 1, "what has to be kept is bounded");
    }
    seen
}
