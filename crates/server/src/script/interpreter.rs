//! A Lua interpreter in its sandbox: made once for each loop, given a fresh set of globals for each run.
//!
//! Limits: memory by the interpreter's allocator; time by a hook that looks at the clock every few instructions. Once a
//! run is to end, the hook fires at every instruction: a script can catch the error in it, but not run on.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};
use tandem_wire::Protocol;

use super::cache::Digest;
use super::cjson;
use super::native::{self, Raised};
use super::number::Random;
use super::shebang::Shebang;
use crate::budget::Budget;

/// Instructions between two looks at the clock. One instruction may work on megabytes.
const INSTRUCTIONS_A_LOOK: u32 = 100;
/// Compiled scripts that are kept.
const MAX_COMPILED: usize = 1_000;
/// Longest source in bytes: compiling cannot be interrupted.
pub(super) const MAX_SOURCE_BYTES: usize = 1 << 20;
/// The name of a script in errors, as in Redis.
const SCRIPT_NAME: &str = "@user_script";
const PRELUDE: &str = include_str!("prelude.lua");

/// Why a run was ended from outside. What it changed is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It had its time.
    Budget,
    /// It had its memory.
    Memory,
    /// It asked for a key outside of what it holds.
    Undeclared,
}

/// An error that a script raised and did not catch.
pub(super) struct Problem {
    pub text: Vec<u8>,
    /// Line of the script, if the error belongs to one.
    pub line: Option<usize>,
}

/// What the present run shares with the hook and with native functions.
pub(super) struct RunState {
    budget: Budget,
    stop: Cell<Option<Stop>>,
    /// Whether the hook fires at every instruction.
    halted: Cell<bool>,
    problem: RefCell<Option<Problem>>,
    pub random: RefCell<Random>,
    /// Those of `cjson`, as this run has set them.
    pub json: Rc<RefCell<cjson::Settings>>,
    /// What the replies of commands, and that of the script, are in.
    pub protocol: Cell<Protocol>,
    /// Bytes that native functions may write at once.
    pub memory: usize,
}

impl RunState {
    /// Whether the run is to end.
    pub fn is_late(&self) -> bool {
        self.stop.get().is_some() || self.budget.is_spent()
    }

    /// Has the run end; the error is to be returned to the interpreter.
    pub fn halt(self: &Rc<Self>, lua: &Lua, stop: Stop) -> mlua::Error {
        if self.stop.get().is_none() {
            self.stop.set(Some(stop));
        }
        if !self.halted.replace(true)
            && let Err(error) = set_hook(lua, self, 1)
        {
            return error;
        }
        mlua::Error::runtime("the script was stopped")
    }

    /// Takes note of an uncaught error, where its frames are still there.
    fn note(&self, lua: &Lua, error: &Value) {
        let text = match error {
            Value::Table(table) => match table.raw_get("err") {
                Ok(Value::String(text)) => text.as_bytes().to_vec(),
                _ => b"ERR the script raised a table without a text under 'err'".to_vec(),
            },
            Value::String(text) => [b"ERR ", &*native::misplaced(lua, &text.as_bytes())].concat(),
            Value::Error(error) => match Raised::text(error) {
                Some(text) => text.to_vec(),
                None => format!("ERR {error}").into_bytes(),
            },
            other => format!("ERR {}", other.to_string().unwrap_or_else(|_| other.type_name().into())).into_bytes(),
        };
        let line = script_line(lua);
        *self.problem.borrow_mut() = Some(Problem { text, line });
    }
}

/// Runs a command for a script: what it gets and gives is as Lua has it.
pub(super) type RunCommand<'r> = dyn FnMut(&Lua, &Rc<RunState>, MultiValue) -> mlua::Result<Value> + 'r;

/// What a run came to.
pub(super) enum Ended {
    Returned(Value),
    Failed(Problem),
}

/// An interpreter. One that hit its memory limit or saw a panic is thrown away.
pub(super) struct Interpreter {
    lua: Lua,
    pub state: Rc<RunState>,
    /// Makes the globals of a run.
    enter: Function,
    xpcall: Function,
    handler: Function,
    compiled: HashMap<Digest, Function>,
}

impl Interpreter {
    /// An interpreter with `memory` bytes for everything.
    ///
    /// # Errors
    /// Those of Lua: too little memory for the sandbox itself.
    pub fn new(memory: usize) -> mlua::Result<Self> {
        // A panic in a command must not be caught by a script.
        let options = LuaOptions::new().catch_rust_panics(false);
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, options)?;
        lua.set_memory_limit(memory)?;
        let state = Rc::new(RunState {
            budget: Budget::start(Duration::ZERO),
            stop: Cell::new(None),
            halted: Cell::new(false),
            problem: RefCell::new(None),
            random: RefCell::new(Random::default()),
            json: Rc::default(),
            protocol: Cell::default(),
            memory,
        });
        let natives = native::functions(&lua, &state)?;
        let enter = lua.load(PRELUDE).set_name("=sandbox").set_mode(ChunkMode::Text).call(natives)?;
        let xpcall = lua.globals().get("xpcall")?;
        let handler = {
            let state = Rc::clone(&state);
            lua.create_function(move |lua, error: Value| {
                state.note(lua, &error);
                Ok(())
            })?
        };
        set_hook(&lua, &state, INSTRUCTIONS_A_LOOK)?;
        Ok(Self { lua, state, enter, xpcall, handler, compiled: HashMap::new() })
    }

    /// The function that a source stands for, compiled at most once.
    ///
    /// # Errors
    /// What is wrong with the source, in Lua's words.
    pub fn compile(&mut self, digest: &Digest, source: &[u8]) -> Result<Function, String> {
        if let Some(function) = self.compiled.get(digest) {
            return Ok(function.clone());
        }
        // The line break stays, so that lines keep their numbers.
        let shebang = Shebang::of(source)?.length;
        let function = load(&self.lua, &source[shebang..], SCRIPT_NAME)?;
        if self.compiled.len() >= MAX_COMPILED || self.lua.used_memory() > self.state.memory / 4 {
            self.compiled.clear();
        }
        self.compiled.insert(*digest, function.clone());
        Ok(function)
    }

    /// Runs `function` for `time` at most, with these keys and other arguments.
    ///
    /// # Errors
    /// [`Stop`]: the run was ended.
    pub fn run(
        &self,
        function: &Function,
        [keys, arguments]: [&[&[u8]]; 2],
        time: Duration,
        command: &mut RunCommand<'_>,
    ) -> Result<Ended, Stop> {
        let state = &self.state;
        state.budget.restart(time);
        state.stop.set(None);
        *state.problem.borrow_mut() = None;
        state.protocol.set(Protocol::Resp2);
        *state.json.borrow_mut() = cjson::Settings::default();
        if state.halted.replace(false) {
            set_hook(&self.lua, state, INSTRUCTIONS_A_LOOK).map_err(|_| Stop::Memory)?;
        }
        let command = &RefCell::new(command);
        let run = move |lua: &Lua, arguments: MultiValue| (command.borrow_mut())(lua, state, arguments);
        let outcome = self.lua.scope(|scope| {
            let call = scope.create_function(move |lua, arguments| match run(lua, arguments)? {
                Value::Table(reply) => match reply.raw_get("err")? {
                    Value::String(text) => Err(Raised::error(&text.as_bytes())),
                    _ => Ok(Value::Table(reply)),
                },
                reply => Ok(reply),
            })?;
            let attempt = scope.create_function(run)?;
            let globals: Table = self.enter.call((self.texts(keys)?, self.texts(arguments)?, call, attempt))?;
            self.lua.set_globals(globals.clone())?;
            function.set_environment(globals)?;
            self.xpcall.call::<(bool, Value)>((function, &self.handler))
        });
        let problem = state.problem.borrow_mut().take();
        match (state.stop.get(), outcome, problem) {
            (Some(stop), ..) => Err(stop),
            (None, Ok((true, value)), _) => Ok(Ended::Returned(value)),
            (None, Ok((false, _)), Some(problem)) => Ok(Ended::Failed(problem)),
            // Lua's own error for too much memory goes past the handler.
            (None, ..) => Err(Stop::Memory),
        }
    }

    /// Lets go of what the last run left. The globals it had are the garbage of the next one.
    pub fn tidy(&self) {
        if self.lua.used_memory() > self.state.memory / 4
            && let Ok(nothing) = self.lua.create_table()
        {
            for function in self.compiled.values() {
                let _ = function.set_environment(nothing.clone());
            }
            let _ = self.lua.set_globals(nothing);
            let _ = self.lua.gc_collect();
        }
    }

    fn texts(&self, texts: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(texts.len(), 0)?;
        for (at, text) in texts.iter().enumerate() {
            table.raw_set(at + 1, self.lua.create_string(text)?)?;
        }
        Ok(table)
    }
}

/// Compiles a source; never bytecode, which the interpreter does not check.
///
/// # Errors
/// What is wrong with it, in Lua's words.
pub(super) fn load(lua: &Lua, source: &[u8], name: &str) -> Result<Function, String> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(format!("the source is {} bytes long; at most {MAX_SOURCE_BYTES} are allowed", source.len()));
    }
    if source.first() == Some(&b'\x1b') {
        return Err("only the text of a script is taken, no bytecode".into());
    }
    lua.load(source).set_name(name).set_mode(ChunkMode::Text).into_function().map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => message,
        other => other.to_string(),
    })
}

fn set_hook(lua: &Lua, state: &Rc<RunState>, instructions: u32) -> mlua::Result<()> {
    let state = Rc::clone(state);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(instructions), move |lua, _| {
        if state.is_late() { Err(state.halt(lua, Stop::Budget)) } else { Ok(VmState::Continue) }
    })
}

/// The line of the script that is being run, looking through what it called.
pub(super) fn script_line(lua: &Lua) -> Option<usize> {
    for level in 0.. {
        let of_script = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            (source.what != "C" && source.source.as_deref() == Some(SCRIPT_NAME)).then(|| frame.current_line())
        });
        if let Some(line) = of_script? {
            return line;
        }
    }
    None
}
