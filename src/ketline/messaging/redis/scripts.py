"""The Lua scripts of `stream.py`: each is atomic, also when the connection is lost.

In all of them KEYS[1] is a task stream, KEYS[2] its dead-letter stream and ARGV[1] the consumer group. An entry is
added before its original is removed: if the server is out of memory, the script fails and nothing is lost.
"""

# `put_back` is for an entry that was delivered and not acknowledged, `put_aside` for one that no consumer can use.
_PUT = """
local function without(fields, name)
    local rest, value = {}, nil
    -- A Lua call takes some thousand arguments; an entry with as many fields is not one of ours.
    for i = 1, math.min(#fields, 2000), 2 do
        if fields[i] == name then value = fields[i + 1] else
            table.insert(rest, fields[i])
            table.insert(rest, fields[i + 1])
        end
    end
    return rest, value
end

local function remove(id)
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
end

local function put_aside(id, fields, reason)
    local rest = without(without(fields, 'reason'), 'queue')
    redis.call('XADD', KEYS[2], '*', 'reason', reason, 'queue', KEYS[1], unpack(rest))
    remove(id)
end

local function put_back(id, fields, most_deliveries)
    local rest, deliveries = without(fields, 'deliveries')
    local delivered = (tonumber(deliveries or 0) or 0) + 1
    if delivered >= tonumber(most_deliveries) then
        put_aside(id, fields, 'delivery_limit')
    else
        redis.call('XADD', KEYS[1], '*', 'deliveries', delivered, unpack(rest))
        remove(id)
    end
end
"""

# Returns the entries that a consumer holds to the stream, removes the consumer, and answers with their number.
# ARGV[2]: the consumer; ARGV[3]: the most deliveries of an entry.
RETURN_HELD = (
    _PUT
    + """
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
for _, pending in ipairs(held) do
    local found = redis.call('XRANGE', KEYS[1], pending[1], pending[1])[1]
    if found then put_back(found[1], found[2], ARGV[3]) else redis.call('XACK', KEYS[1], ARGV[1], pending[1]) end
end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return #held
"""
)

# Returns the entries whose consumers have been silent too long to the stream, removes silent consumers that hold none,
# and answers with the number of entries. ARGV[2]: silence in milliseconds; ARGV[3]: the most deliveries of an entry.
RETURN_ABANDONED = (
    _PUT
    + """
local returned, cursor, sweeper = 0, '0-0', 'sweeper'
repeat
    local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], sweeper, ARGV[2], cursor, 'COUNT', 100)
    cursor = claimed[1]
    for _, entry in ipairs(claimed[2]) do
        put_back(entry[1], entry[2], ARGV[3])
        returned = returned + 1
    end
until cursor == '0-0'
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local about = {}
    for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
    if about.pending == 0 and (about.idle >= tonumber(ARGV[2]) or about.name == sweeper) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about.name)
    end
end
return returned
"""
)

# Moves one entry to the dead-letter stream. ARGV[2]: its id; ARGV[3]: the reason.
SET_ASIDE = (
    _PUT
    + """
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if found then put_aside(found[1], found[2], ARGV[3]) end
"""
)

# Moves one entry from the dead-letter stream to the task stream, and answers 1, or 0 if it is gone. ARGV[2]: its id.
REQUEUE = """
local found = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not found then return 0 end
for i = 1, #found[2], 2 do
    if found[2][i] == 'body' then redis.call('XADD', KEYS[1], '*', 'body', found[2][i + 1]) end
end
redis.call('XDEL', KEYS[2], ARGV[2])
return 1
"""

# The number of entries that the group has not delivered. The group's own `lag` is nil after some deletions; but
# delivered entries are deleted when they are acknowledged, so that counting those that are left is cheap.
DEPTH = """
local length = redis.call('XLEN', KEYS[1])
if length == 0 then return 0 end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local about = {}
    for i = 1, #group, 2 do about[group[i]] = group[i + 1] end
    if about.name == ARGV[1] then
        return length - #redis.call('XRANGE', KEYS[1], '-', about['last-delivered-id'])
    end
end
return length
"""
