//! Replays against a server: one that keeps what it is given, and some that fail.

mod files;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use files::TraceFile;
use tandem_replay::{Error, Format, Progress, Report, Result, Settings, Where, replay};
use tandem_wire::{Args, Limits, RequestParser, reply};

/// Serves one connection on a thread, and ends with it. `answer` writes the reply; false closes the connection.
fn serve(mut answer: impl FnMut(&Args<'_>, &mut Vec<u8>) -> bool + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = serve_connection(&mut stream, &mut answer);
    });
    address
}

fn serve_connection(
    stream: &mut TcpStream,
    answer: &mut impl FnMut(&Args<'_>, &mut Vec<u8>) -> bool,
) -> std::io::Result<()> {
    let mut parser = RequestParser::default();
    let limits = Limits::default();
    let (mut buffer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&chunk[..read]);
        while let Ok(tandem_wire::Progress::Complete { consumed }) = parser.parse(&buffer, &limits) {
            let mut out = Vec::new();
            let goes_on = answer(&parser.args(&buffer), &mut out);
            buffer.drain(..consumed);
            stream.write_all(&out)?;
            if !goes_on {
                return Ok(());
            }
        }
    }
}

fn run(trace: &str, address: String) -> Result<Report> {
    let file = TraceFile::new(trace.as_bytes());
    let settings = Settings {
        path: file.path().to_owned(),
        format: Format::Csv,
        target: Where::Server(address),
        seed: 1,
        payload_bytes: 100,
    };
    replay(&settings, &Arc::new(Progress::default()))
}

#[test]
fn every_read_that_misses_is_written() {
    let mut values: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let address = serve(move |args, out| {
        match &args[0] {
            b"GET" => match values.get(&args[1]) {
                Some(value) => reply::bulk(out, value),
                None => out.extend_from_slice(b"$-1\r\n"),
            },
            b"SET" if args[2].len() > 5_000 => reply::error(out, "OOM command not allowed"),
            b"SET" => {
                values.insert(args[1].to_vec(), args[2].to_vec());
                reply::simple(out, "OK");
            }
            b"DEL" => reply::integer(out, i64::from(values.remove(&args[1]).is_some())),
            b"DBSIZE" => reply::integer(out, values.len() as i64),
            b"INFO" => reply::bulk(out, b"# Memory\r\nused_memory:1200\r\nused_memory_rss:4096\r\nevicted_keys:3\r\n"),
            other => panic!("{other:?}"),
        }
        true
    });
    let trace =
        "key,op,size\na,get,1000\na,get,1000\nb,set,10\nb,get,10\nb,delete,0\nb,get,10\nbig,get,6000\nbig,get,6000\n";
    let report = run(trace, address).unwrap();
    assert_eq!((report.requests, report.gets, report.hits), (8, 6, 2));
    assert_eq!((report.bytes_requested, report.bytes_hit), (14_020, 1_010));
    assert_eq!(report.refused, 2);
    assert_eq!((report.entries, report.evictions), (Some(2), Some(3)));
    assert_eq!((report.cache_bytes, report.rss_bytes), (Some(1_200), Some(4_096)));
    assert_eq!(report.bytes_per_entry(), Some(600.0));
}

fn failure(answer: impl FnMut(&Args<'_>, &mut Vec<u8>) -> bool + Send + 'static) -> String {
    match run("0,a,10\n", serve(answer)) {
        Err(error @ Error::Server { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn says(text: &'static [u8]) -> impl FnMut(&Args<'_>, &mut Vec<u8>) -> bool + Send + 'static {
    move |_, out| {
        out.extend_from_slice(text);
        true
    }
}

#[test]
fn a_failing_server_is_told_in_one_line() {
    assert!(failure(|_, _| false).ends_with(": the connection was closed"));
    assert!(failure(says(b"-NOAUTH Authentication required.\r\n")).ends_with(": GET: NOAUTH Authentication required."));
    assert!(failure(says(b"HTTP/1.1 400 Bad Request\r\n")).ends_with("not RESP: 'HTTP/1.1 400 Bad Request'"));
    assert!(failure(says(b"$99999999999\r\n")).contains("not RESP"));
    assert!(failure(says(b":1\r\n")).ends_with(": GET: an answer of the wrong type"));
    let cut = |_: &Args<'_>, out: &mut Vec<u8>| {
        out.extend_from_slice(b"$100\r\nabc");
        false
    };
    assert!(failure(cut).contains("server 127.0.0.1:"));
}

#[test]
fn an_address_that_nobody_listens_on_is_named() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = run("0,a,10\n", address.clone()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("server {address}: ")), "{error}");
    let error = run("0,a,10\n", "no-port".into()).unwrap_err().to_string();
    assert!(error.starts_with("server no-port: "), "{error}");
}
