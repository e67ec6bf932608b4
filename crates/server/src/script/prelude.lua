-- The trusted part of the sandbox, run once for each interpreter. `native` holds the functions written in Rust.
--
-- Nothing that a script can reach may outlive its run: what is shared between runs is functions, and tables that no
-- script ever holds itself, because it sees them through an empty table made for its run alone. And nothing that a
-- script can call may run for long outside of the interpreter, where no time limit holds: hence the functions that are
-- written here, in Lua, although the library has them in C.
local native = ...
local error, getmetatable, next, pcall, rawget, rawset = error, getmetatable, next, pcall, rawget, rawset
local select, setmetatable, tonumber, tostring, type, unpack = select, setmetatable, tonumber, tostring, type, unpack
local concat, insert, rep = table.concat, table.insert, string.rep

local function readonly()
  error("Attempt to modify a readonly table", 2)
end

-- The metatable of the empty table through which a script sees `contents`.
local function behind(contents)
  return { __index = contents, __newindex = readonly, __metatable = false }
end

local function wrong(number, name, wanted, got)
  error("bad argument #" .. number .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. type(got) .. ")", 3)
end

-- Strings. Searching is native, with a look at the time: patterns can take exponential time.

local step, expand = native.step, native.expand

local function gmatch(subject, pattern)
  local at = 1
  local function advance(first, last, ...)
    if not first then return nil end
    at = last < first and first + 1 or last + 1
    return ...
  end
  return function() return advance(step(subject, pattern, at, false)) end
end

local function replaced(replacement, kind, first, last, subject, ...)
  local value
  if kind == "function" then
    value = replacement(...)
  elseif kind == "table" then
    value = replacement[(...)]
  else
    return expand(replacement, subject, first, last, ...)
  end
  if not value then return subject:sub(first, last) end
  local got = type(value)
  -- In front of the message is the line where `gsub` was called: from here through `take` and `gsub`.
  if got ~= "string" and got ~= "number" then error("invalid replacement value (a " .. got .. ")", 4) end
  return value
end

local function gsub(subject, pattern, replacement, limit)
  if limit ~= nil and not tonumber(limit) then wrong(4, "gsub", "number", limit) end
  limit = limit and tonumber(limit)
  subject = type(subject) == "number" and tostring(subject) or subject
  if type(subject) ~= "string" then wrong(1, "gsub", "string", subject) end
  local kind = type(replacement)
  if kind == "number" then
    replacement = tostring(replacement)
  elseif kind ~= "string" and kind ~= "table" and kind ~= "function" then
    wrong(3, "gsub", "string/function/table", replacement)
  end
  local pieces, count, at, anchored = {}, 0, 1, false
  -- Takes one match; says whether to look for another.
  local function take(first, last, ...)
    if not first then return false end
    count = count + 1
    pieces[#pieces + 1] = subject:sub(at, first - 1)
    pieces[#pieces + 1] = replaced(replacement, kind, first, last, subject, ...)
    at = last + 1
    if last < first then
      pieces[#pieces + 1] = subject:sub(first, first)
      at = first + 1
    end
    return at <= #subject + 1
  end
  anchored = type(pattern) == "string" and pattern:sub(1, 1) == "^"
  while (not limit or count < limit) and take(step(subject, pattern, at, true)) do
    if anchored then break end
  end
  pieces[#pieces + 1] = subject:sub(at)
  return concat(pieces), count
end

local strings = {
  byte = string.byte, char = string.char, format = string.format, len = string.len, lower = string.lower,
  reverse = string.reverse, sub = string.sub, upper = string.upper,
  find = native.find, match = native.match, gmatch = gmatch, gsub = gsub,
  -- The library's counts to n even where there is nothing to repeat.
  rep = function(...)
    if ... == "" then return "" end
    return rep(...)
  end,
}
getmetatable("").__index = strings
getmetatable("").__metatable = false

-- Tables. The library's insert, remove and sort loop in C over as many elements as the table claims to have.

local tables = {
  concat = concat, getn = table.getn, maxn = table.maxn,
  foreach = function(t, f)
    if type(t) ~= "table" then wrong(1, "foreach", "table", t) end
    if type(f) ~= "function" then wrong(2, "foreach", "function", f) end
    for name, value in next, t do
      local result = f(name, value)
      if result ~= nil then return result end
    end
  end,
  foreachi = function(t, f)
    if type(t) ~= "table" then wrong(1, "foreachi", "table", t) end
    if type(f) ~= "function" then wrong(2, "foreachi", "function", f) end
    for at = 1, #t do
      local result = f(at, rawget(t, at))
      if result ~= nil then return result end
    end
  end,
  insert = function(...)
    if select("#", ...) ~= 3 then return insert(...) end
    local t, at, value = ...
    if type(t) ~= "table" then wrong(1, "insert", "table", t) end
    at = tonumber(at) or wrong(2, "insert", "number", at)
    at = at - at % 1
    local last = #t + 1
    if at > last then last = at end
    for i = last, at + 1, -1 do t[i] = t[i - 1] end
    t[at] = value
  end,
  remove = function(t, at)
    if type(t) ~= "table" then wrong(1, "remove", "table", t) end
    local last = #t
    at = at == nil and last or tonumber(at) or wrong(2, "remove", "number", at)
    at = at - at % 1
    if at < 1 or at > last then return end
    local value = t[at]
    for i = at, last - 1 do t[i] = t[i + 1] end
    t[last] = nil
    return value
  end,
  -- Heapsort: no order of elements makes it slow.
  sort = function(t, before)
    if type(t) ~= "table" then wrong(1, "sort", "table", t) end
    before = before or function(a, b) return a < b end
    if type(before) ~= "function" then wrong(2, "sort", "function", before) end
    local function sift(root, last)
      local value = t[root]
      while root * 2 <= last do
        local child = root * 2
        if child < last and before(t[child], t[child + 1]) then child = child + 1 end
        if not before(value, t[child]) then break end
        t[root] = t[child]
        root = child
      end
      t[root] = value
    end
    local last = #t
    for root = (last - last % 2) / 2, 1, -1 do sift(root, last) end
    for length = last, 2, -1 do
      t[1], t[length] = t[length], t[1]
      sift(1, length - 1)
    end
  end,
}

-- Numbers.

local numbers = {}
for name, value in pairs(math) do numbers[name] = value end
numbers.random, numbers.randomseed = native.random, native.randomseed

-- Errors. As in Redis, `pcall` shows the text of an error that a command answered. Those of native functions are no
-- values of Lua, and never reach a script.

local function text_of(ok, ...)
  if ok then return true, ... end
  local problem = native.as_value(...)
  if type(problem) == "table" then
    local text = rawget(problem, "err")
    if type(text) == "string" then return false, text end
  end
  return false, problem
end

-- The library calls the handler of `xpcall` while the hook that limits time is off.
local function handled(handler, ok, ...)
  if ok then return true, ... end
  return false, handler((native.as_value(...)))
end

local base = {
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
  rawequal = rawequal, rawget = rawget, select = select,
  rawset = function(t, name, value)
    if type(t) ~= "table" then wrong(1, "rawset", "table", t) end
    -- What a script sees of its libraries and globals is not its own.
    if getmetatable(t) == false then error("Attempt to modify a readonly table", 0) end
    return rawset(t, name, value)
  end, setmetatable = setmetatable, tonumber = tonumber,
  tostring = tostring, type = type, unpack = unpack, _VERSION = _VERSION,
  loadstring = native.loadstring,
  pcall = function(...) return text_of(pcall(...)) end,
  xpcall = function(f, handler) return handled(handler, pcall(f)) end,
}
local base_meta = {
  __index = setmetatable(base, {
    __index = function(_, name)
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
  }),
}

local redis_meta = {
  __index = {
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
    REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
    REDIS_VERSION = native.version, REDIS_VERSION_NUM = native.version_number,
    sha1hex = native.sha1hex,
    error_reply = function(...)
      local text = ...
      if select("#", ...) ~= 1 or type(text) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
      end
      return native.error_reply(text)
    end,
    status_reply = function(...)
      local text = ...
      if select("#", ...) ~= 1 or type(text) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
      end
      return { ok = text }
    end,
    setresp = native.setresp, acl_check_cmd = native.acl_check_cmd,
    -- What concerns replication, logs and the debugger has no effect here.
    log = native.log, set_repl = native.set_repl, debug = function() end,
    breakpoint = function() return false end, replicate_commands = function() return true end,
  },
}

local string_meta, table_meta, math_meta = behind(strings), behind(tables), behind(numbers)
local os_meta = behind({ clock = native.clock })
local bit_meta, cjson_meta = behind(native.bit), behind(native.cjson)
local struct_meta = behind(native.struct)
local cmsgpack = native.cmsgpack
cmsgpack._NAME, cmsgpack._VERSION = "cmsgpack", "lua-cmsgpack 0.4.0"
cmsgpack._COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo"
cmsgpack._DESCRIPTION = "MessagePack C implementation for Lua"
local cmsgpack_meta = behind(cmsgpack)

-- The globals of one run. `call` and `try` run a command; an error is raised, or a table with its text under `err`.
return function(keys, arguments, call, try)
  local redis = setmetatable({}, behind(setmetatable({ call = call, pcall = try }, redis_meta)))
  local visible = setmetatable({
    KEYS = keys, ARGV = arguments, redis = redis, server = redis,
    string = setmetatable({}, string_meta), table = setmetatable({}, table_meta), math = setmetatable({}, math_meta),
    os = setmetatable({}, os_meta), cjson = setmetatable({}, cjson_meta),
    bit = setmetatable({}, bit_meta), struct = setmetatable({}, struct_meta),
    cmsgpack = setmetatable({}, cmsgpack_meta),
  }, base_meta)
  local globals = setmetatable({}, behind(visible))
  visible._G = globals
  return globals
end
