//! Trace files made for one test.

#![allow(dead_code, reason = "every test binary uses a part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tandem_replay::{Error, Format, Progress, Request, Requests};

/// A file that goes with the test.
pub struct TraceFile(PathBuf);

impl TraceFile {
    pub fn new(content: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tandem-replay-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn zst(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Every request of a file, or the requests before the error and the error.
pub fn read_all(path: &Path, format: Format) -> (Vec<Request>, Option<Error>) {
    let mut requests = match Requests::open(path, format, &Arc::new(Progress::default())) {
        Ok(requests) => requests,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut all, mut request) = (Vec::new(), Request::default());
    loop {
        match requests.next(&mut request) {
            Ok(true) => all.push(request.clone()),
            Ok(false) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}
