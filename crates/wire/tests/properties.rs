//! Properties that hold for every input.

use proptest::prelude::*;
use tandem_wire::{Limits, Progress, RequestParser, reply};

/// A request as clients write it: an array of strings.
fn encode(request: &[Vec<u8>], out: &mut Vec<u8>) {
    reply::array(out, request.len());
    for argument in request {
        reply::bulk(out, argument);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_always_end(
        stream in proptest::collection::vec(prop_oneof![
            4 => any::<u8>(),
            6 => proptest::sample::select(&b"*$-0123456789\r\n\"' \\xGET"[..]),
        ], 0..400),
        cuts in proptest::collection::vec(0usize..400, 0..6),
    ) {
        let limits = Limits { args: 16, bulk_bytes: 64, line_bytes: 64, request_bytes: 256, unauthenticated: false };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([stream.len()]).collect();
        cuts.sort_unstable();
        let (mut parser, mut start) = (RequestParser::default(), 0);
        'stream: for end in cuts {
            while let Ok(progress) = parser.parse(&stream[start..end], &limits) {
                match progress {
                    Progress::Complete { consumed } => {
                        prop_assert!(consumed > 0 && start + consumed <= end);
                        prop_assert!(parser.args(&stream[start..end]).iter().map(<[u8]>::len).sum::<usize>() <= consumed);
                        start += consumed;
                    }
                    Progress::Incomplete { needed } => {
                        prop_assert!(needed > end - start && needed <= limits.request_bytes.max(end - start + 1));
                        continue 'stream;
                    }
                }
            }
            break;
        }
    }

    #[test]
    fn what_is_encoded_is_parsed_back(
        requests in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8), 1..8),
        step in 1usize..60,
    ) {
        let mut stream = Vec::new();
        requests.iter().for_each(|request| encode(request, &mut stream));
        let (mut parser, mut start, mut seen) = (RequestParser::default(), 0, Vec::new());
        for end in (0..stream.len()).step_by(step).chain([stream.len()]) {
            while let Progress::Complete { consumed } = parser.parse(&stream[start..end], &Limits::default()).unwrap() {
                seen.push(parser.args(&stream[start..end]).iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                start += consumed;
            }
        }
        prop_assert_eq!(seen, requests);
    }
}
