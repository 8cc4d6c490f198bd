"""What scripts may call: plain JavaScript of the runtime, told of here, and effects by name.

What each effect is, is said in `effects/`; a test holds the names equal, and those of the runtime, too. The names that
mean something to a script already are here as well: nothing else may be given to scripts under one of them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScriptFunction:
    """A name that scripts can use: how it is called, and what it does, in a sentence or two."""

    name: str
    signature: str
    summary: str


FUNCTIONS = (
    ScriptFunction("print", "print(...values)", "Adds the values to the execution log. console.log does the same."),
    ScriptFunction(
        "evaluateCondition",
        "evaluateCondition(tree, data?)",
        "Whether a condition tree (either documented shape) holds for data, or for the message where data is left out.",
    ),
    ScriptFunction(
        "getWorkflowByName",
        "getWorkflowByName(name)",
        "The workflow of that name in this environment as {id, workflowId, name, isActive}, or null.",
    ),
    ScriptFunction("getPromptResponse", "getPromptResponse(index)", "The answer to a prompt; the first is 1."),
    ScriptFunction("latestPromptResponse", "latestPromptResponse()", "The answer to the latest prompt."),
    ScriptFunction("URL", "new URL(url, base?)", "Reads an address as the WHATWG URL standard says."),
    ScriptFunction("URLSearchParams", "new URLSearchParams(init?)", "Reads and writes the query of an address."),
    ScriptFunction("TextEncoder", "new TextEncoder()", "Text to bytes in UTF-8."),
    ScriptFunction("TextDecoder", "new TextDecoder('utf-8')", "Bytes in UTF-8 to text."),
    ScriptFunction("atob", "atob(text)", "Decodes base64."),
    ScriptFunction("btoa", "btoa(text)", "Encodes as base64."),
    ScriptFunction("structuredClone", "structuredClone(value)", "A deep copy."),
    ScriptFunction(
        "renderTemplate",
        "renderTemplate(template, data?, {autoescape?})",
        "Renders a Nunjucks template; without data, with the globals. HTML is escaped unless autoescape is false.",
    ),
    ScriptFunction("uuid", "uuid()", "A UUID (version 4), the same at every evaluation of a message."),
    ScriptFunction("base64Encode", "base64Encode(text)", "Encodes text as UTF-8 in base64."),
    ScriptFunction("base64Decode", "base64Decode(text)", "Decodes base64 to text, as UTF-8."),
    ScriptFunction("sha256", "sha256(text)", "The SHA-256 of a text in UTF-8, in hexadecimal."),
    ScriptFunction("hmacSha256", "hmacSha256(key, text)", "The HMAC-SHA-256 of a text, in hexadecimal."),
)

EFFECTS = (
    "promptCallUniversal",
    "executePromptWithModel",
    "promptCallToken",
    "promptCallKeys",
    "httpRequest",
    "stmStore",
    "stmRetrieve",
    "stmRetrieveAll",
    "stmDelete",
    "vectorUpsert",
    "vectorSearch",
    "pineconeUpsert",
    "pineconeQuery",
    "pineconeDelete",
    "sendEmail",
    "sendGridSend",
    "pubsubPublish",
    "postToMastodon",
    "postLatestPromptToMastodon",
    "sportradarNfl",
    "runAction",
    "mcpCall",
    "executeResearchPlan",
    "validateAssistantContext",
    "triggerWorkflow",
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What ECMAScript puts into a realm: what the sandbox leaves there (a test holds these equal to the realm's own list),
# and what it takes away, under whose names anything else would mislead.
BUILT_INS = _names(
    """
    AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView
    Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity
    Int16Array Int32Array Int8Array Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError
    ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError Temporal TypeError
    URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly decodeURI
    decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt undefined
    unescape
    """
)

# ECMA-262, 12.7.2: reserved words, what only strict code or modules reserve, and `arguments`.
WORDS = _names(
    """
    arguments await break case catch class const continue debugger default delete do else enum export extends false
    finally for function if implements import in instanceof interface let new null package private protected public
    return static super switch this throw true try typeof var void while with yield
    """
)

# Every object has these, the global one too.
INHERITED = _names("constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf")

# What a message brings along, and what scripts of other houses expect to be there.
GIVEN = _names("message type payload organizationId environmentId console global modelConfiguration")

RESERVED = BUILT_INS | WORDS | INHERITED | GIVEN | {function.name for function in FUNCTIONS} | set(EFFECTS)


def is_taken(name: str) -> bool:
    """Whether an entity's argument may not have this name: it would hide what scripts rely on."""
    return name in RESERVED - GIVEN - INHERITED or name in ("console", "global") or name.startswith("__")


def is_reserved(name: str) -> bool:
    """Whether a name means something to scripts already, or is kept for Pulse (`__…`)."""
    return name in RESERVED or name.startswith("__")
