//! Each format, each compression, and what is broken in them.

mod files;

use files::{TraceFile, gz, read_all, xz, zst};
use tandem_replay::{Error, Format, Operation, Position};

fn parse(content: &[u8], format: Format) -> Vec<(String, Option<u64>)> {
    let file = TraceFile::new(content);
    let (requests, error) = read_all(file.path(), format);
    assert!(error.is_none(), "{}", error.unwrap());
    requests.into_iter().map(|request| (String::from_utf8(request.key).unwrap(), request.size)).collect()
}

/// The error of a broken trace, and how many requests came before it.
fn breaks(content: &[u8], format: Format) -> (usize, Position, String) {
    let file = TraceFile::new(content);
    match read_all(file.path(), format) {
        (before, Some(Error::Broken { at, reason, path })) => {
            assert_eq!(path, file.path());
            (before.len(), at, reason)
        }
        (before, other) => panic!("{} requests, then {other:?}", before.len()),
    }
}

fn keys<const N: usize>(keys: [&str; N]) -> Vec<(String, Option<u64>)> {
    keys.map(|key| (key.to_owned(), None)).to_vec()
}

fn sized<const N: usize>(requests: [(&str, u64); N]) -> Vec<(String, Option<u64>)> {
    requests.map(|(key, size)| (key.to_owned(), Some(size))).to_vec()
}

#[test]
fn lirs_is_a_key_a_line() {
    assert_eq!(
        parse(b"0\n1\n* a remark\n\n 7 \r\n18446744073709551615", Format::Lirs),
        keys(["0", "1", "7", "18446744073709551615"])
    );
    let (before, at, reason) = breaks(b"1\n2\nthree\n", Format::Lirs);
    assert_eq!((before, at), (2, Position::Line(3)));
    assert_eq!(reason, "'three' is no key: expected a number from 0 to 2^64 - 1");
    assert_eq!(breaks(b"1\n-2\n", Format::Lirs).1, Position::Line(2));
}

#[test]
fn arc_expands_runs_of_blocks() {
    assert_eq!(parse(b"5 3 0 1\n9 1 0 2\n8 0 0 3\n", Format::Arc), keys(["5", "6", "7", "9"]));
    assert_eq!(
        breaks(b"5 3 0 1\n9 1 0\n", Format::Arc),
        (3, Position::Line(2), "3 fields where 4 are needed: '9 1 0'".into())
    );
    let (before, at, reason) = breaks(b"5 99999999999 0 1\n", Format::Arc);
    assert_eq!((before, at), (0, Position::Line(1)));
    assert!(reason.contains("at most 1048576 a line"), "{reason}");
    assert_eq!(breaks(b"18446744073709551615 2 0 1\n", Format::Arc).1, Position::Line(1));
}

#[test]
fn adaptsize_has_sizes() {
    assert_eq!(parse(b"1 0 68\n2.5\t17   7454\n", Format::Adaptsize), sized([("0", 68), ("17", 7454)]));
    assert_eq!(breaks(b"1 0 68\n2 1\n", Format::Adaptsize).1, Position::Line(2));
    assert_eq!(breaks(b"1 0 68 4\n", Format::Adaptsize).2, "more than 3 fields: '1 0 68 4'");
    assert_eq!(breaks(b"x 0 68\n", Format::Adaptsize).2, "'x' is no time");
    let (_, at, reason) = breaks(b"1 0 68\n1 1 268435456\n", Format::Adaptsize);
    assert_eq!(at, Position::Line(2));
    assert_eq!(reason, "object size 268435456 is above the limit of 268435455 bytes");
}

#[test]
fn binary_keys_are_big_endian() {
    assert_eq!(parse(&[0, 0, 1, 2, 255, 255, 255, 255], Format::Cache2k), keys(["258", "4294967295"]));
    assert_eq!(parse(&[1, 0, 0, 0, 0, 0, 0, 5], Format::Corda), keys(["72057594037927941"]));
    let (before, at, reason) = breaks(&[0, 0, 1, 2, 3, 4], Format::Cache2k);
    assert_eq!((before, at), (1, Position::Byte(4)));
    assert_eq!(reason, "the trace is cut off: 2 bytes of a record of 4");
}

fn oracle_record(key: u64, size: u32) -> Vec<u8> {
    [&7u32.to_le_bytes()[..], &key.to_le_bytes(), &size.to_le_bytes(), &(-1i64).to_le_bytes()].concat()
}

#[test]
fn oracle_general_has_records_of_24_bytes() {
    let trace = [oracle_record(42, 512), oracle_record(u64::MAX, 0)].concat();
    assert_eq!(parse(&trace, Format::OracleGeneral), sized([("42", 512), ("18446744073709551615", 0)]));
    assert_eq!(breaks(&trace[..47], Format::OracleGeneral).1, Position::Byte(24));
    let too_large = [oracle_record(1, 1), oracle_record(2, u32::MAX)].concat();
    assert_eq!(breaks(&too_large, Format::OracleGeneral).1, Position::Byte(24));
}

#[test]
fn csv_without_a_header_is_time_key_size() {
    for separator in [",", "\t", ";", " "] {
        let trace = "0,a,131072\n0,\"b\",16384\n".replace(',', separator);
        assert_eq!(parse(trace.as_bytes(), Format::Csv), sized([("a", 131_072), ("b", 16_384)]), "{separator:?}");
    }
    assert_eq!(
        breaks(b"0,1,5\n0,2\n", Format::Csv),
        (1, Position::Line(2), "2 columns, but the size is in column 3".into())
    );
    assert_eq!(breaks(b"0,1,5\n0,2,big\n", Format::Csv).1, Position::Line(2));
}

#[test]
fn csv_with_a_header_goes_by_the_names() {
    let trace = b"op_time,key,key_size,op,op_count,size,ttl\n1,8213,4,GET,2,87,0\n1,a54f,4,SET,1,12,0\n2,8213,4,DELETE,1,0,0\n2,x,1,GET,0,5,0\n";
    let file = TraceFile::new(trace);
    let (requests, error) = read_all(file.path(), Format::Csv);
    assert!(error.is_none());
    let seen: Vec<_> = requests.iter().map(|r| (r.operation, r.key.as_slice(), r.size)).collect();
    assert_eq!(
        seen,
        [
            (Operation::Get, &b"8213"[..], Some(87)),
            (Operation::Get, b"8213", Some(87)),
            (Operation::Set, b"a54f", Some(12)),
            (Operation::Delete, b"8213", Some(0)),
        ]
    );
    assert_eq!(parse(b"obj_id\n7\n", Format::Csv), keys(["7"]));
    assert!(breaks(b"time,what\n1,2\n", Format::Csv).2.starts_with("no column is named key"));
    let (_, at, reason) = breaks(b"key,op\na,get\nb,explode\n", Format::Csv);
    assert_eq!(at, Position::Line(3));
    assert!(reason.starts_with("unknown operation 'explode'"), "{reason}");
    assert!(breaks(b"key,op_count\na,9999999999\n", Format::Csv).2.contains("at most 1048576"));
    let many = format!("key{}\n", ",c".repeat(64));
    assert!(breaks(many.as_bytes(), Format::Csv).2.starts_with("more than 64 columns"));
}

#[test]
fn lines_have_a_longest_length() {
    let (_, at, reason) = breaks(&[b'1'; 300_000], Format::Lirs);
    assert_eq!(at, Position::Line(1));
    assert!(reason.contains("is this a text trace?"), "{reason}");
}

#[test]
fn a_broken_line_is_shown_without_control_characters() {
    let reason = breaks(b"\x1b[2J\xff\n", Format::Lirs).2;
    assert!(reason.is_ascii() && !reason.contains('\x1b'), "{reason}");
}

fn some_text() -> (Vec<u8>, usize) {
    let lines: Vec<String> = (0..50_000u64).map(|n| format!("{}\n", n.wrapping_mul(0x9e37_79b9) % 10_007)).collect();
    (lines.concat().into_bytes(), lines.len())
}

#[test]
fn compression_is_recognised_by_magic() {
    let (text, count) = some_text();
    let plain = parse(&text, Format::Lirs);
    assert_eq!(plain.len(), count);
    for (name, packed) in [("gz", gz(&text)), ("xz", xz(&text)), ("zst", zst(&text))] {
        assert!(packed.len() < text.len(), "{name}");
        assert_eq!(parse(&packed, Format::Lirs), plain, "{name}");
    }
}

#[test]
fn parts_one_after_the_other_are_one_trace() {
    let (first, second) = (b"1\n2\n".as_slice(), b"3\n".as_slice());
    for (name, packed) in
        [("gz", [gz(first), gz(second)]), ("xz", [xz(first), xz(second)]), ("zst", [zst(first), zst(second)])]
    {
        assert_eq!(parse(&packed.concat(), Format::Lirs), keys(["1", "2", "3"]), "{name}");
    }
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc", &zst(first)].concat();
    assert_eq!(parse(&skippable, Format::Lirs), keys(["1", "2"]));
}

#[test]
fn cut_off_compression_says_where() {
    let (text, count) = some_text();
    for (name, packed) in [("gz", gz(&text)), ("xz", xz(&text)), ("zst", zst(&text))] {
        for keep in [packed.len() / 2, packed.len() - 1] {
            let (before, at, reason) = breaks(&packed[..keep], Format::Lirs);
            assert!(before <= count, "{name} cut at {keep}");
            let Position::FileByte(offset) = at else { panic!("{name}: {at}: {reason}") };
            assert!(offset <= keep as u64, "{name}: {at}");
            assert!(reason.contains("cut off") || reason.contains("broken"), "{name} cut at {keep}: {reason}");
        }
    }
}

#[test]
fn flipped_bits_in_compression_are_found() {
    let (text, _) = some_text();
    for (name, packed) in [("gz", gz(&text)), ("xz", xz(&text))] {
        let mut packed = packed;
        let middle = packed.len() / 2;
        packed[middle] ^= 0x55;
        let file = TraceFile::new(&packed);
        assert!(matches!(read_all(file.path(), Format::Lirs).1, Some(Error::Broken { .. })), "{name}");
    }
}

#[test]
fn an_empty_trace_has_no_requests() {
    for (_, format) in Format::ALL {
        assert_eq!(parse(b"", format), []);
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let missing = std::path::Path::new("/nonexistent/trace.gz");
    let Some(error @ Error::File { .. }) = read_all(missing, Format::Lirs).1 else { panic!("opened") };
    assert!(error.to_string().starts_with("/nonexistent/trace.gz: "), "{error}");
    assert!(matches!(read_all(&std::env::temp_dir(), Format::Lirs).1, Some(Error::File { .. })));
}

#[test]
fn names_are_parsed_and_listed() {
    for (name, format) in Format::ALL {
        assert_eq!(name.parse(), Ok(format));
    }
    let error = "msr".parse::<Format>().unwrap_err();
    assert_eq!(error, "unknown trace format 'msr'; one of lirs, arc, cache2k, corda, adaptsize, oracle-general, csv");
}
