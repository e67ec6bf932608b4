//! From a file to its decompressed bytes. The compression is recognised by the first bytes, never by the name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::{Error, Position, Progress, Result};

/// Most memory an xz stream may ask for, in KiB. `xz -9` needs 65 MiB.
const XZ_MEMORY_KIB: u32 = 256 << 10;
/// Largest window of a zstd frame in bytes. `zstd -19` needs 8 MiB, `--long=27` 128 MiB.
const ZSTD_WINDOW_BYTES: u64 = 128 << 20;
const BUFFER_BYTES: usize = 128 << 10;

type Compressed = BufReader<Counted<File>>;

/// Decompressed bytes of a trace.
pub(crate) type Source = BufReader<Box<dyn Read + Send>>;

/// Opens a trace; `progress` learns its length and how much of it was read.
pub(crate) fn open(path: &Path, progress: &Arc<Progress>) -> Result<Source> {
    let at_file = |source| Error::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(at_file)?;
    let metadata = file.metadata().map_err(at_file)?;
    if metadata.is_dir() {
        return Err(at_file(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    progress.set_total(metadata.len());
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, Counted { inner: file, progress: Arc::clone(progress) });
    let decoded: Box<dyn Read + Send> = match raw.fill_buf().map_err(at_file)? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(raw)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(XzReader::new_mem_limit(raw, true, XZ_MEMORY_KIB)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(ZstdReader::new(raw)),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Box::new(ZstdReader::new(raw)),
        _ => Box::new(raw),
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, decoded))
}

/// The error for a failed read of a [`Source`]: the system's if it is one, else a broken compression.
pub(crate) fn read_error(path: &Path, progress: &Progress, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::File { path: path.to_owned(), source: error };
    }
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed data is cut off".to_owned(),
        _ => format!("the compressed data is broken: {error}"),
    };
    Error::Broken { path: path.to_owned(), at: Position::FileByte(progress.bytes_read()), reason }
}

/// Counts what is read, for the progress and for positions.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(target)?;
        self.progress.add_read(read as u64);
        Ok(read)
    }
}

/// All frames of a zstd file, one after the other; skippable frames are skipped.
struct ZstdReader {
    raw: Compressed,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl ZstdReader {
    fn new(raw: Compressed) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_BYTES);
        Self { raw, decoder, is_in_frame: false }
    }

    /// Begins the next frame; false at the end of the file.
    fn begin_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.raw.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.raw) {
                Ok(()) => {
                    self.is_in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut (&mut self.raw).take(u64::from(length)), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// The decoder does not tell the end of its input from bad input; the reader under it does.
    fn explain(&mut self, error: FrameDecoderError) -> io::Error {
        match self.raw.fill_buf() {
            Ok([]) => io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => io::Error::other(error),
            Err(error) => error,
        }
    }

    fn check_frame(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stored), Some(calculated)) if stored != calculated => Err(io::Error::other("checksum mismatch")),
            _ => Ok(()),
        }
    }
}

impl Read for ZstdReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                if let Err(error) = self.decoder.decode_blocks(&mut self.raw, BlockDecodingStrategy::UptoBlocks(1)) {
                    return Err(self.explain(error));
                }
            }
            let read = self.decoder.read(target)?;
            if read > 0 || target.is_empty() {
                return Ok(read);
            }
            self.check_frame()?;
        }
    }
}
