//! Every numeric bound of the system, with its reason.

use std::time::Duration;

use jiff::SignedDuration;

/// ITU-T E.164 allows 15 digits; in no country is a number for calls shorter than 8, with the country code.
pub const PHONE_DIGITS_MAX: usize = 15;
/// See [`PHONE_DIGITS_MAX`].
pub const PHONE_DIGITS_MIN: usize = 8;

/// A provider's form is under 4 KiB; a larger one is not the provider's.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// A provider sends 25 to 40 parameters; more than this costs us work for nothing.
pub const FORM_PARAMETERS_MAX: usize = 512;
/// A `CallSid` is 34 characters at Twilio and under 100 elsewhere.
pub const SID_CHARS_MAX: usize = 128;
/// Recognised speech is at most 60 s long.
pub const SPEECH_CHARS_MAX: usize = 2_000;
/// A verbal passcode: a word or a few.
pub const PASSCODE_CHARS_MAX: usize = 64;
/// More keys than any prompt asks for.
pub const DIGITS_MAX: usize = 64;

/// The characters of a secret that strangers may try without end: as hexadecimal digits they carry the 64 bits
/// that are enough in that case (NIST SP 800-63B, section 5.1.2.2).
pub const SECRET_CHARS_MIN: usize = 16;

/// Twilio refuses a document over 64 kB (error 11750).
pub const TWIML_BYTES_MAX: usize = 64_000;
/// The bytes of one `<Say>`: Polly speaks 3000, the basic voices 4096, Google 5000 (Twilio's warning
/// 13521).
pub const SAY_BYTES_MAX: usize = 3_000;
/// The bytes of one `<Say>` in URL encoding (the same warning), which is the stricter limit for scripts other
/// than Latin.
pub const SAY_ENCODED_BYTES_MAX: usize = 4_500;
/// The entries of a gather's hints (Twilio's reference).
pub const HINTS_MAX: usize = 500;
/// The characters of one hint (Twilio's reference).
pub const HINT_CHARS_MAX: usize = 100;
/// The bytes of all hints of a gather, as written: a quarter of a document.
pub const HINTS_BYTES_MAX: usize = 16_000;
/// The characters of a task's attributes: TaskRouter takes 4,096 (its limits), and adds some 700 of its own about
/// the call.
pub const TASK_CHARS_MAX: usize = 3_200;
/// The shortest number that is dialled: an emergency or service number.
pub const DIAL_DIGITS_MIN: usize = 3;
/// The characters of an address: what intermediaries are known to carry.
pub const URL_BYTES_MAX: usize = 2_048;
/// The characters of a SIP address without its header fields: no endpoint has a longer one.
pub const SIP_BYTES_MAX: usize = 255;
/// The characters of a SIP address's header fields (Twilio's warning 21227).
pub const SIP_HEADERS_BYTES_MAX: usize = 1_023;
/// The characters of a queue's name (Twilio's reference).
pub const QUEUE_CHARS_MAX: usize = 64;
/// The characters of a conference's name: nobody has ever asked for more.
pub const CONFERENCE_CHARS_MAX: usize = 128;
/// The characters of a voice's name: the longest in use has about 40.
pub const VOICE_BYTES_MAX: usize = 100;
/// The seconds of one pause, of waiting for input and of ringing: the provider rings no longer.
pub const WAIT_S_MAX: u32 = 600;
/// The least seconds of a recording (Twilio's reference).
pub const RECORD_S_MIN: u32 = 2;
/// The most seconds of a recording (Twilio's reference).
pub const RECORD_S_MAX: u32 = 14_400;

/// A message of an editor: twice the size of the largest folder of flows that is checked.
pub const LSP_MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What comes before a message of an editor: two short lines.
pub const LSP_HEAD_BYTES_MAX: u64 = 4 * 1024;

/// How deep elements of a document may be nested: ours need three.
pub const TWIML_DEPTH_MAX: usize = 8;

/// The least seconds within which a message may still arrive: with less it is refused or pointless.
pub const MESSAGE_VALID_S_MIN: u32 = 6;
/// The most seconds within which a message may still arrive (Twilio's reference).
pub const MESSAGE_VALID_S_MAX: u32 = 36_000;
/// How far our clock and the provider's may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// If nobody knows whether a ring was placed, no other one of its line to its number is placed for so long: the
/// outbox tries for 22 s at a time, and whatever is placed after that is later by both clocks.
pub const RING_UNTOLD_FOR: Duration = Duration::from_secs(22 + 2 * 60);
/// For so long a provider that was silent about a ring is only asked whether it placed it: a caller waits for the
/// ring, and is led on after its ringing time and a margin.
pub const RING_LATE_FOR: Duration = Duration::from_secs(25);
/// The least seconds of ringing of a call that we place: with less it reaches nobody.
pub const RING_S_MIN: u32 = 5;
/// Connecting to the carrier takes milliseconds, or does not work at all.
pub const CARRIER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request to the carrier, with its answer; after this, nobody knows what became of it.
pub const CARRIER_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection to the carrier is dropped before the carrier drops it under a request.
pub const CARRIER_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The carrier's answer about one call has about 2 KiB, a page of calls 50, and a page of the longest messages of
/// others (1,600 characters, each escaped in six bytes) 84.
pub const CARRIER_BODY_BYTES_MAX: usize = 128 * 1024;
/// The longest that the carrier may ask us to wait.
pub const CARRIER_RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// Sending one mail, with the connection: shorter than a claim of the outbox.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(15);
/// What is read from a mail server for one mail, certificates included: a tenth of it would be much.
pub const MAIL_READ_BYTES_MAX: usize = 512 * 1024;
/// Mail servers close idle connections, many after a minute.
pub const MAIL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections to the mail server that are kept for the next mail.
pub const MAIL_IDLE_MAX: usize = 4;
/// The calls of one page of the carrier's list: a page stays below [`CARRIER_BODY_BYTES_MAX`].
pub const CARRIER_PAGE_CALLS: u32 = 20;
/// The messages among which one is looked for that may just have been sent: the list has the latest first, and
/// with the longest texts a page stays below [`CARRIER_BODY_BYTES_MAX`].
pub const CARRIER_PAGE_MESSAGES: u32 = 8;
/// The pages that are read to look for one call: a hundred calls to one number in a day.
pub const CARRIER_PAGES_MAX: usize = 5;

/// Turns under way in one server before it takes no new calls: more than a second's work.
pub const TURNS_IN_PROGRESS: u64 = 1_024;
/// Connections of one worker: each holds a body of at most [`BODY_BYTES_MAX`], for seconds.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections that the system has accepted and no worker has taken yet: as many as Linux allows
/// (`net.core.somaxconn`). The standard library's 128 is less than what a proxy opens when it finds a server
/// again.
pub const CONNECTIONS_WAITING_MAX: u32 = 4_096;
/// Connections of the admin listener: screens, scrapers, probes and [`WATCHERS_MAX`].
pub const ADMIN_CONNECTIONS_MAX: usize = 256;
/// What may be open beside the connections for webhooks: those of the admin listener and of the store, those to
/// the provider for [`OUTBOX_TASKS_MAX`] effects, to back ends and to the mail server, and files.
pub const OPEN_BESIDE: u64 = 512;
/// What is open before the first connection comes: an embedded store, the listeners and the log.
pub const OPEN_AT_LEAST: u64 = 32;
/// And for each worker: what it uses to wait for its connections, timers and the store.
pub const OPEN_OF_WORKER: u64 = 8;
/// The threads of a busy server beside those of its workers: for hashes, the log, files, signals and the embedded
/// store.
pub const THREADS_BESIDE: usize = 16;
/// And for each worker: its own, those it hands work to, and its share of what runs beside webhooks.
pub const THREADS_OF_WORKER: usize = 4;
/// A webhook is answered within this time, with the apology if need be: it leaves room below a provider's own
/// limit of 5 s (SignalWire) to 15 s (Twilio).
pub const TURN_DEADLINE: Duration = Duration::from_secs(4);
/// PINs and passcodes that one server hashes at once: each takes 19 MiB, and keeps a processor busy for some 25
/// ms. Others wait, no longer than [`TURN_DEADLINE`], as turns in progress do.
pub const HASHES_AT_ONCE: usize = 2;
/// And those that wait: two processors can do so many before [`TURN_DEADLINE`]. If that many wait already, the
/// next caller hears the apology at once, and loses no attempt.
pub const HASHES_WAITING_MAX: usize = 256;
/// How far the threads that hash yield to those that answer webhooks: when both want a processor, they get a
/// thirtieth of it, so that a hash takes less than a second on a machine with no idle processor.
pub const HASH_NICENESS: i32 = 15;
/// Bytes that a server takes that hundreds call at once, with its calls in Redis: 76 to 153 MB were measured, of
/// which the hashes take three times 19 MiB. The accounts that it holds are not counted.
pub const MEMORY_OF_SERVER: u64 = 160 * 1024 * 1024;
/// And what its embedded store may take in addition.
pub const MEMORY_OF_EMBEDDED_STORE: u64 = 96 * 1024 * 1024;
/// How long an entry yields, before its hash begins and again during it: twice this and the hash are well within
/// [`TURN_DEADLINE`].
pub const HASH_GIVES_WAY_FOR: Duration = Duration::from_secs(1);
/// How long an idle thread is kept for the next hash, with the memory it hashes in.
pub const HASH_THREADS_KEPT_FOR: Duration = Duration::from_secs(10);
/// How long a turn waits before it asks an absent store again: as often as [`TURN_DEADLINE`] allows, and more and
/// more rarely, because others are waiting as well.
pub const STORE_AWAY_WAITS: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(800),
    Duration::from_millis(800),
];
/// How long a status is kept that could not be noted because the store was away: by then, what it says is found
/// out in another way.
pub const STATUS_KEPT_FOR: Duration = Duration::from_mins(5);
/// How long to wait before it is tried again, at first and at most.
pub const STATUS_WAIT_MIN: Duration = Duration::from_secs(1);
/// See [`STATUS_WAIT_MIN`].
pub const STATUS_WAIT_MAX: Duration = Duration::from_secs(8);
/// Statuses that are kept at a time: those of more calls than one server has, and some megabytes.
pub const STATUSES_KEPT_MAX: usize = 16_384;
/// A provider sends its headers and body at once.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A slow body is not the provider's.
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// Within this time part of a connection's request must be answered and the answer taken, or the connection is
/// closed: longer than its head, its body and its turn may take together.
pub const UNANSWERED_FOR: Duration = Duration::from_secs(15);
/// And the bytes that may be read from it meanwhile: the largest body in small pieces, and what an intermediary
/// may send ahead of it.
pub const UNANSWERED_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// Bytes that are read from a connection before they are answered: more than nearly every webhook has, and no
/// more than a hundred requests of a client that sends one after another.
pub const HEARD_AT_ONCE: usize = 4 * 1024;
/// Everything that one turn asks of others takes no longer than this: the rest of [`TURN_DEADLINE`] is for the
/// store. A later answer counts as none.
pub const ASKED_PER_TURN: Duration = Duration::from_secs(3);
/// A call that has tried nothing for so long gives its place to another one of the same account: PSD2 ends a
/// session after the same time (RTS 4(3)(d)).
pub const PLACE_KEPT_FOR: Duration = Duration::from_mins(5);
/// If a number makes more calls in an hour than this, they are riskier: nobody needs so many.
pub const CALLS_PER_CALLER_H: u32 = 20;
/// How long counting what speaks against a caller may take: the call waits for it.
pub const SIGNALS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the directory may take, unless the configuration says otherwise: a turn may ask it twice.
pub const DIRECTORY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The least time that may be set for somebody asked over HTTP: making a connection takes as long.
pub const ASKED_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The most time: it leaves room in [`ASKED_PER_TURN`] for another question.
pub const ASKED_TIMEOUT_MAX: Duration = Duration::from_millis(2_500);
/// How long a back end that `lookup` asks may take, unless the configuration says otherwise.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long looking a number up takes, unless the configuration says otherwise: never less either, so that the
/// time does not tell whether there was a number.
pub const NUMBER_TIMEOUT: Duration = Duration::from_secs(1);
/// The numbers on file that are looked up for one message or ring: hardly anybody has more, and each look-up
/// costs money.
pub const NUMBERS_LOOKED_UP_MAX: usize = 3;
/// How long looking up a caller's number may take: the call waits for it.
pub const CALLER_LOOKED_UP_WITHIN: Duration = Duration::from_secs(1);
/// What the provider says of one number.
pub const NUMBER_BYTES_MAX: usize = 16 * 1024;
/// A back end's answer: a few values, and whatever else it contains.
pub const LOOKUP_BYTES_MAX: usize = 64 * 1024;
/// The length of the path that a `lookup` asks for.
pub const LOOKUP_PATH_BYTES_MAX: usize = 200;
/// One account, with every field that flows may disclose.
pub const ACCOUNT_BYTES_MAX: usize = 64 * 1024;
/// How long turns in progress may take to finish when the server is told to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// States entered in one turn: more of them are a loop that no caller asked for.
pub const HOPS_MAX: usize = 64;
/// Turns of one call: an hour of menus every few seconds.
pub const TURNS_MAX: u64 = 1_000;
/// Step-ups and sub-flows nested in each other.
pub const FRAMES_MAX: usize = 16;
/// Legs of one call that are remembered: the inbound one, callbacks, whispers.
pub const LEGS_MAX: usize = 32;
/// If a specialist asks again after this time, and nothing was heard in between, the caller is taken to the
/// prompt once more: otherwise nobody would notice that a redirect was lost.
pub const STEP_UP_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How often a caller may have one prompt repeated by `*` before it counts as a try.
pub const REPEATS_MAX: u8 = 3;
/// Codes sent in one call.
pub const SENDS_PER_CALL_MAX: u8 = 5;

/// States of one flow: far more than a person can keep track of, for flows that programs write.
pub const STATES_MAX: usize = 10_000;
/// A flow file's size.
pub const FLOW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Flow files that are checked together: far more than a person can keep track of, for flows that programs write.
pub const FLOWS_MAX: usize = 10_000;
/// And their total size: hundreds of the largest flows that people write.
pub const FLOWS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// An accounts file's size: over a million accounts, of which each takes some 2 KB of memory. A larger file is none.
pub const ACCOUNTS_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Findings of one code in one file that are reported singly: more than anybody corrects before checking again.
pub const FINDINGS_ALIKE_MAX: usize = 100;
/// And those in all files together; the first one in a file is always reported.
pub const FINDINGS_OF_A_CODE_MAX: usize = 1_000;
/// States of a flow that is drawn as a picture: more than anybody looks at, and the time for the layout grows
/// with their square.
pub const DRAWN_STATES_MAX: usize = 1_000;
/// States that ask for something whose odds are reported singly: a statement contains the way to each.
pub const ODDS_STATES_MAX: usize = 2_000;
/// Steps of answers that are followed, over all flows checked together, to see whether an answer is really slow;
/// beyond them it is reported as it seems.
pub const SLOW_STEPS_MAX: usize = 200_000;
/// Edges that are followed, over all flows checked together, to find where variables may be missing; then the
/// search ends. A second's work.
pub const EDGES_WITHOUT_MAX: usize = 20_000_000;
/// Names with which misspelt ones are compared, over all flows checked together; then nothing more is suggested.
/// A fifth of a second's work.
pub const NAMES_COMPARED_MAX: usize = 2_000_000;
/// Lines of a call script that are shown: nobody reads more, and the transcript has the whole way.
pub const SCRIPT_LINES_MAX: usize = 40;
/// Names that a finding lists.
pub const NAMES_LISTED_MAX: usize = 8;
/// What the checker keeps of variables' levels, for all ways from one start together: eight such parts for each
/// variable that is set, fifty bytes each.
pub const LABELS_KEPT_MAX: usize = 2_000_000;
/// Arrivals that the checker looks at from one flow in which calls begin: more ways than any flow has that people
/// can understand.
pub const ARRIVALS_MAX: usize = 200_000;
/// And those from all flows together, some hundred bytes each: a hundred dialled flows, each with ten thousand
/// states behind it.
pub const ARRIVALS_OF_ALL_MAX: usize = 1_000_000;
/// Characters of one prompt: about four minutes of speech.
pub const PROMPT_CHARS_MAX: usize = 3_000;
/// Steps that the evaluation of one prompt may take.
pub const PROMPT_FUEL: u64 = 20_000;
/// Characters that one prompt may become.
pub const SPOKEN_CHARS_MAX: usize = 6_000;
/// From here on a number is not said to its last digit: only below it does a float tell whole numbers apart.
pub const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Characters of one text message: four segments.
pub const MESSAGE_CHARS_MAX: usize = 600;
/// Characters of one variable's value.
pub const VARIABLE_CHARS_MAX: usize = 2_000;

/// How long a call is remembered after its last turn.
pub const CALL_RETENTION: Duration = Duration::from_hours(24);
/// How long a voucher is valid: as long as callers wait for a specialist, and little longer, because what it says
/// ages with it.
pub const VOUCHER_TTL: Duration = Duration::from_mins(15);
/// How long the audit of a call is kept after its end: thirteen months, so that there is always a whole year of
/// it.
pub const AUDIT_RETENTION: Duration = Duration::from_hours(400 * 24);
/// How long the end of a chain of links is kept after its last link: far longer than the links.
pub const AUDIT_HEAD_RETENTION: Duration = Duration::from_hours(10 * 366 * 24);
/// Tries to append a link while others append to the same chain.
pub const AUDIT_TRIES_MAX: usize = 256;
/// No call lasts longer (Twilio's own limit).
pub const CALL_DURATION_MAX: Duration = Duration::from_hours(4);
/// Calls of which a server keeps a copy: some 3 KiB each.
pub const RECENT_CALLS_MAX: usize = 4_096;
/// Ended calls whose audit a server keeps at hand until it is written down, half a second later: as many as end
/// in that time when it is busiest.
pub const AUDITS_AT_HAND: usize = 1_024;
/// Entries of one audit that are kept in this way: more than nearly every call has, some hundred bytes each.
pub const AUDIT_ENTRIES_AT_HAND: usize = 64;
/// Counts of callers' numbers that a server keeps at hand, some hundred bytes each: as many as call within a few
/// seconds when it is busiest.
pub const RECORDS_AT_HAND: usize = 2_048;
/// How long such a copy is trusted: longer than it takes from the ring to keying in an account, and much shorter
/// than anything is counted for.
pub const RECORD_AT_HAND_FOR: Duration = Duration::from_mins(1);
/// How long a store keeps its name: as long as the ends of its audit's chains.
pub const STORE_NAME_RETENTION: Duration = Duration::from_hours(10 * 366 * 24);
/// How often a server notes in the store that it is there, and looks who else is.
pub const SERVERS_MEET_EVERY: Duration = Duration::from_secs(5);
/// How often in a row another may have noted nothing new and is still there: one whose store is slow misses some.
pub const SERVER_MISSED_MAX: u32 = 3;
/// How long what a server has noted is kept: long enough that clocks which are minutes apart take nobody's note away.
pub const SERVER_NOTES_RETENTION: Duration = Duration::from_mins(10);
/// How many servers of one store are noted: more than one store can serve.
pub const SERVERS_NOTED_MAX: usize = 64;
/// How long the trace of a readiness probe is kept: far longer than from one to the next.
pub const PROBE_RETENTION: Duration = Duration::from_hours(24);
/// How long a server may at most go on serving after it was told to stop.
pub const DRAIN_MAX: Duration = Duration::from_mins(1);
/// How often to look at files whose changes the system may not report; what has changed is read at the second
/// look.
pub const FILES_LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// How long nobody may have written to files before they are read again: while a large file is written in place,
/// or one file after another, half of them is there.
pub const FILES_STAY_FOR: Duration = Duration::from_secs(1);
/// Lines in the log per minute, for each reason, about refused requests: enough to see by which routes they come,
/// and no more in a year than a disk can hold.
pub const REFUSALS_TOLD_A_MINUTE: u64 = 10;
/// How often to look for a store that was away when the server started.
pub const STORE_LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);
/// And how often to log that it is still away, and that the outbox can do nothing.
pub const STORE_AWAY_TOLD_EVERY: Duration = Duration::from_secs(5);
/// How often to check how the store is set up, and its clock.
pub const OUTLOOK_EVERY: Duration = Duration::from_secs(5);
/// How often to measure how much waits in the outbox.
pub const BACKLOG_EVERY: Duration = Duration::from_secs(5);
/// Effects and deadlines under way at once in one server: each waits for a provider most of the time.
pub const OUTBOX_TASKS_MAX: usize = 64;
/// How much later than the last one an effect is due again that was passed over because its line had enough
/// places: two hundred a second are quickly found to have to wait, and are no load.
pub const OUTBOX_PASSED_OVER_EVERY: Duration = Duration::from_millis(5);
/// But no later than this, however many there are: a code should come in time if it can.
pub const OUTBOX_PASSED_OVER_WAIT_MAX: Duration = Duration::from_secs(20);
/// How far the threads of the outbox yield to those that answer webhooks: when both want a processor, they get a
/// quarter of it, which is more than all the work that the calls of one processor leave to them.
pub const OUTBOX_NICENESS: i32 = 5;
/// And how far the thread yields that reads changed flows and accounts, for which nobody waits: it gets less than
/// a fiftieth, and less than a hash, for which callers wait. A million accounts are half a minute's work.
pub const READING_NICENESS: i32 = 19;
/// How long an effect that was given up is kept for an operator to look at.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_hours(7 * 24);
/// Longer than one try of a dead letter takes: after it, somebody else may try.
pub const DEAD_LETTER_TRY_MAX: Duration = Duration::from_secs(30);
/// Dead letters in one of 64 partitions: beyond that the oldest are forgotten, and thousands remain to look at.
pub const DEAD_LETTERS_MAX: usize = 100;
/// Flow versions that a server keeps in memory, some hundred KiB each: more than calls in progress use, however
/// busy a designer is.
pub const EDITIONS_AT_HAND: usize = 64;
/// How many may watch the events of one server at once: desks and screens, not every agent's page.
pub const WATCHERS_MAX: usize = 16;
/// Events by which a watcher may fall behind: a few seconds of a busy server. It is told how many it missed.
pub const EVENTS_BEHIND_MAX: usize = 1_024;
/// A watcher is sent something at least this often, so that proxies in between keep the connection.
pub const EVENTS_SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often to try again after a lost race before the caller hears the apology.
pub const COMMIT_TRIES_MAX: usize = 8;
/// How often a contended record is read and written again; even under attack by hundreds of calls at once, one
/// must still get through.
pub const SWAP_TRIES_MAX: usize = 400;

/// How deep lists and maps may be nested in what is stored: far deeper than any of it is, and no deep stack.
pub const PACKED_DEPTH_MAX: usize = 64;

/// How long one answer of Redis may take: a turn waits for a few of them within [`TURN_DEADLINE`].
pub const STORE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long making a connection to Redis may take.
pub const STORE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one question to Redis may take in all, a new connection and a second try included.
pub const STORE_QUESTION_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Connections of each worker on which writes wait for replicas: while one waits, so does everything that came
/// after it on the same connection.
pub const STORE_WAITS_ON: usize = 8;
/// If Redis has not acknowledged bytes for so long, the connection is dead.
pub const STORE_SILENCE_MAX: Duration = Duration::from_secs(5);
/// A connection to Redis that was idle for so long is pinged: networks silently forget idle ones, some after four
/// minutes.
pub const STORE_IDLE_ASKED_AFTER: Duration = Duration::from_secs(30);
/// How long before its expiry a warning about our certificate for Redis begins.
pub const CERTIFICATE_TOLD_BEFORE: Duration = Duration::from_hours(14 * 24);
/// How far apart the clocks of Redis and of a server may be before the server warns: synchronised clocks never
/// are, and servers that are a lease apart do each other's work again.
pub const STORE_CLOCK_APART_MAX: Duration = Duration::from_secs(5);
/// How far the machine's clock may be set forward and be believed without a check: a synchronised clock is never
/// set further, and a lease is longer.
pub const CLOCK_STEP_MAX: SignedDuration = SignedDuration::from_secs(5);
/// How often to check whether it was.
pub const CLOCK_LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// Things claimed from Redis at a time: more than any worker delivers within a lease.
pub const CLAIM_COUNT_MAX: usize = 1_000;
/// How often a claim looks again if others were quicker, or what it found was gone.
pub const CLAIM_ROUNDS_MAX: usize = 4;
/// Calls listed at a time: as many as an operator leafs through.
pub const LISTED_CALLS_MAX: usize = 1_000;
/// Calls of one of 64 partitions whose order Redis remembers: 8,000 in all, a day of a small house, and one
/// fewer than Redis keeps packed in a sorted set (`zset-max-listpack-entries`), a third of the memory.
pub const CALLS_PER_PARTITION_MAX: usize = 127;
/// How long deadlines wait together in Redis. With a longer time there are fewer lists; but by as much too early
/// they are put among the due things, where each takes seven times the memory.
pub const DEADLINES_WAIT_FOR: Duration = Duration::from_mins(10);
/// Deadlines of a partition that are put there at a time: for all partitions this takes Redis a few milliseconds,
/// and in ten minutes it is enough for ten million calls in progress.
pub const DEADLINES_AT_ONCE: usize = 16;
/// How long a period is in which small records expire that are stored together in Redis: they are forgotten
/// together, when it is over.
pub const SMALL_RECORDS_TOGETHER_FOR: Duration = Duration::from_hours(2);
/// Listed calls that are loaded at a time: a store serves them side by side, and callers go first.
pub const CALLS_LOADED_AT_ONCE: usize = 16;
/// Seconds after which a page on something still in progress is asked for again.
pub const PAGE_AGAIN_S: u32 = 10;
/// Writes to the embedded store that share one flush to the disk: as many as are waiting for one anyway.
pub const STORE_BATCH_MAX: usize = 256;
/// From how many writers on the embedded store waits for most of them, to flush what they write together: fewer
/// would gain less by it than they wait.
pub const STORE_GATHER_FROM: usize = 8;
/// How long the embedded store pauses for more writes to flush together, and how often, while they keep coming:
/// two milliseconds at most, which is as long as such a flush takes.
pub const STORE_GATHER_PAUSE: Duration = Duration::from_micros(50);
/// See [`STORE_GATHER_PAUSE`].
pub const STORE_GATHER_PAUSES: usize = 20;
/// After so many pauses in which no write came, it waits no longer.
pub const STORE_GATHER_PAUSES_IN_VAIN: usize = 2;
/// Calls and records whose places the embedded store keeps in memory before it begins to write them into the
/// table by id; at most twice as many are kept, some 50 bytes each. The more, the fewer pages are written for
/// each.
pub const STORE_FRESH_MAX: usize = 262_144;
/// How many of them are then moved for every two that come: more than two, so that the move ends before there are
/// twice as many. The fewer, the less each flush has to do.
pub const STORE_MOVED_FOR_TWO_PLACED: usize = 3;
/// Writes waiting for the embedded store: more than the busiest second brings.
pub const STORE_QUEUE_MAX: usize = 1_024;
/// Expired things that the embedded store forgets at a time, so that turns need not wait longer.
pub const SWEEP_BATCH_MAX: usize = 500;
/// An embedded store below this size is not compacted: it would not be worth the wait.
pub const STORE_COMPACT_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// It is compacted when no more than this is in use, as at night: turns wait until what is in use has been moved.
/// That took 0.3 s of 1 GiB (a release build), and 6 s with 180 MiB in use.
pub const STORE_COMPACT_USED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// With more rows than this, nobody asks how much is in use: finding that out took 0.6 s with 100,000 live calls.
pub const STORE_COMPACT_ROWS_MAX: u64 = 16_384;
/// When it is opened nobody waits for a turn yet, and more may be moved: six seconds.
pub const STORE_COMPACT_AT_START_USED_BYTES_MAX: u64 = 192 * 1024 * 1024;
/// And more rows may be looked through: the audit of half a million calls takes three seconds.
pub const STORE_COMPACT_AT_START_ROWS_MAX: u64 = 524_288;
/// How often to look: finding out takes time in which nothing is written.
pub const STORE_COMPACT_EVERY: Duration = Duration::from_hours(1);
/// How much of its file the embedded store keeps in memory.
pub const STORE_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// An embedded store up to this size is verified completely when it is opened: under half a second.
pub const STORE_VERIFIED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Telephone numbers for which the answers of the numbering plans are kept: some hundred bytes each.
pub const NUMBERS_TOLD: usize = 10_000;

/// How long lines of the log are gathered: a person who watches does not notice.
pub const LOG_HELD_FOR: Duration = Duration::from_millis(50);
/// Bytes of the log that are gathered: more than a busy moment brings.
pub const LOG_BYTES_HELD_MAX: usize = 256 * 1024;
/// Bytes of the log that wait if nobody reads it: half a minute of a busy server. Anything beyond is lost.
pub const LOG_BYTES_WAITING_MAX: usize = 8 * 1024 * 1024;
/// How long writing the last lines of a stopping server may take.
pub const LOG_LAST_WRITTEN_WITHIN: Duration = Duration::from_secs(1);
