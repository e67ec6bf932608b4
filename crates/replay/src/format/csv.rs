//! Separated values, with or without a header line.
//!
//! Without a header the columns are time, key, size. With one, the names decide: `key` (also `id`, `obj_id`, `object`)
//! must be there; `size` (also `value_size`, `obj_size`), `op` (also `operation`, `command`) and `op_count` may be.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::lines::{Lines, number, quoted};
use super::{Operation, Parse, Request, Stop, checked_size};
use crate::source::Source;

/// Most columns a line may have.
const MAX_COLUMNS: usize = 64;
/// Most times one line may repeat its request.
const MAX_REPEATS: u64 = 1 << 20;

pub(super) struct Csv {
    lines: Lines,
    splitter: Option<Splitter>,
    columns: Columns,
    /// How often the last request is still to be repeated.
    repeats_left: u64,
}

impl Csv {
    pub(super) fn new(source: Source) -> Self {
        Self { lines: Lines::new(source), splitter: None, columns: Columns::default(), repeats_left: 0 }
    }

    /// Reads the next line into the splitter; false at the end. The first line decides on separator and columns.
    fn advance(&mut self) -> Result<bool, Stop> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(false) };
            if line.is_empty() {
                continue;
            }
            let is_first = self.splitter.is_none();
            let splitter = self.splitter.get_or_insert_with(|| Splitter::new(separator_of(line)));
            let outcome = splitter.split(line).and_then(|()| match is_first.then(|| Columns::of_header(splitter)) {
                None | Some(Ok(None)) => Ok(true),
                Some(Ok(Some(columns))) => {
                    self.columns = columns;
                    Ok(false)
                }
                Some(Err(reason)) => Err(reason),
            });
            match outcome {
                Ok(true) => return Ok(true),
                Ok(false) => continue,
                Err(reason) => return Err(self.lines.broken(reason)),
            }
        }
    }

    fn parse(&self, request: &mut Request) -> Result<u64, String> {
        let splitter = self.splitter.as_ref().expect("a line was split");
        let key = splitter.field(self.columns.key, "key")?;
        if key.len() > tandem_engine::MAX_KEY_BYTES {
            let limit = tandem_engine::MAX_KEY_BYTES;
            return Err(format!("a key of {} bytes is above the limit of {limit}", key.len()));
        }
        request.key.clear();
        request.key.extend_from_slice(key);
        request.size = match self.columns.size {
            None => None,
            Some(column) => Some(number(splitter.field(column, "size")?, "size")?),
        };
        request.operation = match self.columns.operation {
            None => Operation::Get,
            Some(column) => operation(splitter.field(column, "operation")?)?,
        };
        let count = match self.columns.count {
            None => 1,
            Some(column) => number(splitter.field(column, "count")?, "count")?,
        };
        if count > MAX_REPEATS {
            return Err(format!("{count} repeats of one request are too many; at most {MAX_REPEATS}"));
        }
        Ok(count)
    }
}

impl Parse for Csv {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        while self.repeats_left == 0 {
            if !self.advance()? {
                return Ok(false);
            }
            self.repeats_left = self.parse(request).map_err(|reason| self.lines.broken(reason))?;
            if let Some(size) = request.size {
                request.size = Some(checked_size(size, self.lines.position())?);
            }
        }
        self.repeats_left -= 1;
        Ok(true)
    }
}

/// Which column holds what.
struct Columns {
    key: usize,
    size: Option<usize>,
    operation: Option<usize>,
    count: Option<usize>,
}

impl Default for Columns {
    fn default() -> Self {
        Self { key: 1, size: Some(2), operation: None, count: None }
    }
}

impl Columns {
    /// The columns a header line names; `None` if the line is none: a header has no number in it.
    fn of_header(line: &Splitter) -> Result<Option<Self>, String> {
        let names: Vec<String> =
            (0..line.len).map(|index| String::from_utf8_lossy(line.get(index)).trim().to_ascii_lowercase()).collect();
        if names.iter().any(|name| name.parse::<f64>().is_ok()) {
            return Ok(None);
        }
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let Some(key) = find(&["key", "id", "obj_id", "object"]) else {
            return Err(format!(
                "no column is named key, id, obj_id or object: {}",
                quoted(names.join(",").as_bytes())
            ));
        };
        Ok(Some(Self {
            key,
            size: find(&["size", "value_size", "obj_size"]),
            operation: find(&["op", "operation", "command"]),
            count: find(&["op_count"]),
        }))
    }
}

/// The meaning of an operation's name, in the words of the Twitter and Meta traces.
fn operation(name: &[u8]) -> Result<Operation, String> {
    let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    if is(&["get", "gets", "get_lease", "read"]) {
        Ok(Operation::Get)
    } else if is(&["set", "set_lease", "add", "replace", "cas", "write", "put"]) {
        Ok(Operation::Set)
    } else if is(&["delete", "del", "remove"]) {
        Ok(Operation::Delete)
    } else {
        Err(format!("unknown operation {}; known are get, set, delete and their variants", quoted(name)))
    }
}

/// The separator of a line: the first of these that it contains.
fn separator_of(line: &[u8]) -> u8 {
    *b",\t; ".iter().find(|separator| line.contains(separator)).unwrap_or(&b',')
}

/// The fields of one line.
struct Splitter {
    reader: Reader,
    fields: Vec<u8>,
    ends: [usize; MAX_COLUMNS],
    len: usize,
}

impl Splitter {
    fn new(separator: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(separator).build();
        Self { reader, fields: Vec::new(), ends: [0; MAX_COLUMNS], len: 0 }
    }

    fn split(&mut self, line: &[u8]) -> Result<(), String> {
        self.fields.resize(line.len() + 1, 0);
        self.reader.reset();
        let (mut read, mut written) = (0, 0);
        self.len = 0;
        loop {
            // An empty input tells the reader that the line is over.
            let (outcome, taken, bytes, ends) =
                self.reader.read_record(&line[read..], &mut self.fields[written..], &mut self.ends[self.len..]);
            (read, written, self.len) = (read + taken, written + bytes, self.len + ends);
            match outcome {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => return Ok(()),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(format!("more than {MAX_COLUMNS} columns: {}", quoted(line)));
                }
            }
        }
    }

    fn get(&self, index: usize) -> &[u8] {
        let from = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.fields[from..self.ends[index]]
    }

    fn field(&self, index: usize, what: &str) -> Result<&[u8], String> {
        if index < self.len {
            return Ok(self.get(index).trim_ascii());
        }
        Err(format!("{} columns, but the {what} is in column {}", self.len, index + 1))
    }
}
