//! Every numeric bound of the system, with its reason.

use std::time::Duration;

use jiff::SignedDuration;

/// ITU-T E.164 allows 15 digits; no country has fewer than 8 with its code in use for calls.
pub const PHONE_DIGITS_MAX: usize = 15;
/// See [`PHONE_DIGITS_MAX`].
pub const PHONE_DIGITS_MIN: usize = 8;

/// A provider's form is under 4 KiB; what is larger is not the provider's.
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

/// The characters of a secret that strangers may try without end: in hexadecimal digits they carry the 64 bits that
/// are enough then (NIST SP 800-63B, section 5.1.2.2).
pub const SECRET_CHARS_MIN: usize = 16;

/// Twilio refuses a document over 64 kB (error 11750).
pub const TWIML_BYTES_MAX: usize = 64_000;
/// The bytes of one `<Say>`: Polly speaks 3000, the basic voices 4096, Google 5000 (Twilio's warning
/// 13521).
pub const SAY_BYTES_MAX: usize = 3_000;
/// The bytes of one `<Say>` in URL encoding (the same warning): what binds in scripts but the Latin.
pub const SAY_ENCODED_BYTES_MAX: usize = 4_500;
/// The entries of a gather's hints (Twilio's reference).
pub const HINTS_MAX: usize = 500;
/// The characters of one hint (Twilio's reference).
pub const HINT_CHARS_MAX: usize = 100;
/// The bytes of all hints of a gather, as written: a quarter of a document.
pub const HINTS_BYTES_MAX: usize = 16_000;
/// The characters of a task's attributes: TaskRouter takes 4,096 (its limits) and puts what it knows of the call, some
/// 700, beside them.
pub const TASK_CHARS_MAX: usize = 3_200;
/// The shortest number that is dialled: an emergency or service number.
pub const DIAL_DIGITS_MIN: usize = 3;
/// The characters of an address: what intermediaries are known to carry.
pub const URL_BYTES_MAX: usize = 2_048;
/// The characters of a SIP address without its header fields: no endpoint's is longer.
pub const SIP_BYTES_MAX: usize = 255;
/// The characters of a SIP address's header fields (Twilio's warning 21227).
pub const SIP_HEADERS_BYTES_MAX: usize = 1_023;
/// The characters of a queue's name (Twilio's reference).
pub const QUEUE_CHARS_MAX: usize = 64;
/// The characters of a conference's name: no more was ever asked for.
pub const CONFERENCE_CHARS_MAX: usize = 128;
/// The characters of a voice's name: the longest in use has about 40.
pub const VOICE_BYTES_MAX: usize = 100;
/// The seconds of one pause, of waiting for input and of ringing: the provider rings no longer.
pub const WAIT_S_MAX: u32 = 600;
/// The seconds of a recording at least (Twilio's reference).
pub const RECORD_S_MIN: u32 = 2;
/// The seconds of a recording at most (Twilio's reference).
pub const RECORD_S_MAX: u32 = 14_400;

/// A message of an editor: the largest folder of flows that is checked, twice over.
pub const LSP_MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an editor says before a message: two short lines.
pub const LSP_HEAD_BYTES_MAX: u64 = 4 * 1024;

/// The elements of a document inside each other: ours need three.
pub const TWIML_DEPTH_MAX: usize = 8;

/// The seconds within which a message may still arrive, at least: less is refused or pointless.
pub const MESSAGE_VALID_S_MIN: u32 = 6;
/// The seconds within which a message may still arrive, at most (Twilio's reference).
pub const MESSAGE_VALID_S_MAX: u32 = 36_000;
/// How far our clock and the provider's may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// For so long a ring of which nobody knows whether it was placed is the only one of its line to its number: the
/// outbox tries for 22 s at a time, and by both clocks whatever is placed after that is later.
pub const RING_UNTOLD_FOR: Duration = Duration::from_secs(22 + 2 * 60);
/// A provider that was long silent about a ring is looked at for so long, and not asked for another: a caller waits for
/// it, and is led on after the ring's own time and a margin.
pub const RING_LATE_FOR: Duration = Duration::from_secs(25);
/// The seconds of ringing of a call that we place, at least: less reaches nobody.
pub const RING_S_MIN: u32 = 5;
/// Connecting to the carrier takes milliseconds, or does not work.
pub const CARRIER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request to the carrier with its answer; after this nobody knows what became of it.
pub const CARRIER_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection to the carrier is dropped before the carrier drops it under a request.
pub const CARRIER_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The carrier's answer about one call has about 2 KiB, a page of them 50, and one of others' longest messages (1,600
/// characters, each escaped in six bytes) 84.
pub const CARRIER_BODY_BYTES_MAX: usize = 128 * 1024;
/// The longest that the carrier may ask us to wait.
pub const CARRIER_RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// One sending of a mail, its connection included: shorter than a claim of the outbox.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(15);
/// What is read of a mail server for one mail, certificates included: a tenth of it is much.
pub const MAIL_READ_BYTES_MAX: usize = 512 * 1024;
/// Mail servers close connections that say nothing, many after a minute.
pub const MAIL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections to the mail server that wait for the next mail.
pub const MAIL_IDLE_MAX: usize = 4;
/// The calls of one page of the carrier's list: a page stays below [`CARRIER_BODY_BYTES_MAX`].
pub const CARRIER_PAGE_CALLS: u32 = 20;
/// The messages that are looked at in the search for one that may have been sent a moment ago: the list
/// comes latest first, and with the longest texts a page stays below [`CARRIER_BODY_BYTES_MAX`].
pub const CARRIER_PAGE_MESSAGES: u32 = 8;
/// The pages that are read in the search for one call: a hundred calls to one number in a day.
pub const CARRIER_PAGES_MAX: usize = 5;

/// Turns under way in one server before it takes no new calls: more than a second's work.
pub const TURNS_IN_PROGRESS: u64 = 1_024;
/// Connections of one worker: each holds a body of at most [`BODY_BYTES_MAX`], for seconds.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections that the system has made and no worker has taken yet: as many as Linux allows (`net.core.somaxconn`),
/// for the standard library's 128 is less than what a proxy opens when it finds a server again.
pub const CONNECTIONS_WAITING_MAX: u32 = 4_096;
/// Connections of the admin listener: screens, scrapers, probes and [`WATCHERS_MAX`].
pub const ADMIN_CONNECTIONS_MAX: usize = 256;
/// What may be open beside the connections that webhooks come in on: the admin listener's, the store's, those
/// to the provider for [`OUTBOX_TASKS_MAX`] effects, to back ends and to the mail server, and files.
pub const OPEN_BESIDE: u64 = 512;
/// What is open before the first connection comes, with an embedded store, on the listeners and in the log.
pub const OPEN_AT_LEAST: u64 = 32;
/// And of each worker: what it waits on for its connections, timers and the store.
pub const OPEN_OF_WORKER: u64 = 8;
/// The threads of a server that is busy, beside those of its workers: hashes, the log, files, signals and the embedded
/// store have theirs.
pub const THREADS_BESIDE: usize = 16;
/// And of each worker: its own, what it hands work to, and its share of what goes on beside webhooks.
pub const THREADS_OF_WORKER: usize = 4;
/// Within this a webhook is answered, with the apology if need be: it leaves room for a provider's
/// own limit of 5 s (SignalWire) to 15 s (Twilio).
pub const TURN_DEADLINE: Duration = Duration::from_secs(4);
/// PINs and passcodes that one server hashes at once: each takes 19 MiB, and a processor for some 25 ms. Others
/// wait, as turns in progress do, no longer than [`TURN_DEADLINE`].
pub const HASHES_AT_ONCE: usize = 2;
/// And those that wait: two processors are done with so many before [`TURN_DEADLINE`]. Whoever comes when they
/// are waiting hears the apology at once, and it costs no attempt.
pub const HASHES_WAITING_MAX: usize = 256;
/// How much the threads that hash give way to those that answer webhooks: where both want a processor they have a
/// thirtieth of it, so that a hash is done in less than a second where no processor is ever idle.
pub const HASH_NICENESS: i32 = 15;
/// Bytes that a server takes that is rung by hundreds at once, and keeps its calls in Redis: 76 to 153 MB were
/// measured, of which the hashes have three times 19 MiB; and what of accounts it holds comes on top.
pub const MEMORY_OF_SERVER: u64 = 160 * 1024 * 1024;
/// And what its embedded store may take beside.
pub const MEMORY_OF_EMBEDDED_STORE: u64 = 96 * 1024 * 1024;
/// How long one gives way, before it is begun and again when it is: twice this and the hash are well within
/// [`TURN_DEADLINE`].
pub const HASH_GIVES_WAY_FOR: Duration = Duration::from_secs(1);
/// How long such a thread waits for the next hash, with the memory that it hashes in.
pub const HASH_THREADS_KEPT_FOR: Duration = Duration::from_secs(10);
/// What a turn waits before it asks a store again that is away: as often as [`TURN_DEADLINE`] allows,
/// and less and less often, for others wait as well.
pub const STORE_AWAY_WAITS: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(800),
    Duration::from_millis(800),
];
/// How long a status is kept that could not be noted because the store was away: by then what it tells is found out
/// otherwise.
pub const STATUS_KEPT_FOR: Duration = Duration::from_mins(5);
/// What it waits before it is tried again, at first and at most.
pub const STATUS_WAIT_MIN: Duration = Duration::from_secs(1);
/// See [`STATUS_WAIT_MIN`].
pub const STATUS_WAIT_MAX: Duration = Duration::from_secs(8);
/// Statuses that are kept at once: those of more calls than one server has, and some megabytes.
pub const STATUSES_KEPT_MAX: usize = 16_384;
/// A provider sends its headers and body at once.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A slow body is no provider's.
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// Within this something of a connection's request is answered and the answer taken, or the connection is let go: more
/// than its head, its body and its turn may take together.
pub const UNANSWERED_FOR: Duration = Duration::from_secs(15);
/// And the bytes of one that are heard meanwhile: the largest body in small pieces, and what an intermediary may send
/// ahead of it.
pub const UNANSWERED_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// Bytes of a connection that are heard before they are answered: more than nearly every webhook has, and no more than
/// a hundred requests of who sends one after the other.
pub const HEARD_AT_ONCE: usize = 4 * 1024;
/// Everything that one turn asks of others takes no longer: what is left of [`TURN_DEADLINE`] is for the
/// store. Whoever has not answered by then has not answered.
pub const ASKED_PER_TURN: Duration = Duration::from_secs(3);
/// A call that has tried nothing for so long gives its place to another of the same account: PSD2 ends a
/// session after as long (RTS 4(3)(d)).
pub const PLACE_KEPT_FOR: Duration = Duration::from_mins(5);
/// Calls of one number in an hour from which on its calls are riskier: nobody needs so many.
pub const CALLS_PER_CALLER_H: u32 = 20;
/// How long it may take to count what speaks against a caller: the call waits for it.
pub const SIGNALS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the directory may take, unless the configuration says otherwise: a turn may ask it twice.
pub const DIRECTORY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The least time that somebody asked over HTTP can be given: a connection of its own takes as long.
pub const ASKED_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The most: it leaves room in [`ASKED_PER_TURN`] for another question.
pub const ASKED_TIMEOUT_MAX: Duration = Duration::from_millis(2_500);
/// How long a back end that `lookup` asks may take, unless the configuration says otherwise.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long looking a number up takes, unless the configuration says otherwise: it never takes less
/// either, so that its time does not tell whether there was a number.
pub const NUMBER_TIMEOUT: Duration = Duration::from_secs(1);
/// The numbers on file that are looked up for one message or ring: hardly anybody has more, and each costs.
pub const NUMBERS_LOOKED_UP_MAX: usize = 3;
/// How long a caller's number may take to be looked up: the ring waits for it.
pub const CALLER_LOOKED_UP_WITHIN: Duration = Duration::from_secs(1);
/// What the provider says of one number.
pub const NUMBER_BYTES_MAX: usize = 16 * 1024;
/// A back end's answer: a few values, and what else it may say.
pub const LOOKUP_BYTES_MAX: usize = 64 * 1024;
/// The path that a `lookup` asks for.
pub const LOOKUP_PATH_BYTES_MAX: usize = 200;
/// One account, with every field that flows may disclose.
pub const ACCOUNT_BYTES_MAX: usize = 64 * 1024;
/// How long turns in progress may take to finish when the server is told to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// States entered in one turn: more is a loop that no caller asked for.
pub const HOPS_MAX: usize = 64;
/// Turns of one call: an hour of menus every few seconds.
pub const TURNS_MAX: u64 = 1_000;
/// Step-ups and sub-flows inside each other.
pub const FRAMES_MAX: usize = 16;
/// Legs of one call that are remembered: the inbound one, callbacks, whispers.
pub const LEGS_MAX: usize = 32;
/// After this a specialist who asks once more has the caller taken to the prompt once more, if nothing
/// was heard since: a redirect that got lost is not noticed otherwise.
pub const STEP_UP_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How often a caller may have one prompt repeated by `*` before it counts as a try.
pub const REPEATS_MAX: u8 = 3;
/// Codes sent in one call.
pub const SENDS_PER_CALL_MAX: u8 = 5;

/// States of one flow: far more than anybody oversees, for flows that programs write.
pub const STATES_MAX: usize = 10_000;
/// A flow file's size.
pub const FLOW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Flow files that are checked together: far more than anybody oversees, for flows that programs write.
pub const FLOWS_MAX: usize = 10_000;
/// And their size together: hundreds of flows as large as any that people write.
pub const FLOWS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Findings of one code in one file that are told one by one: more than anybody mends before checking again.
pub const FINDINGS_ALIKE_MAX: usize = 100;
/// And those in all files together; the first of a file is told in any case.
pub const FINDINGS_OF_A_CODE_MAX: usize = 1_000;
/// States of a flow that is drawn as a picture: more than anybody looks at, and what layout takes grows with
/// their square.
pub const DRAWN_STATES_MAX: usize = 1_000;
/// States that ask for something of which the odds are told one by one: a statement holds the way to each.
pub const ODDS_STATES_MAX: usize = 2_000;
/// Steps of answers that are followed to see whether one is as slow as it seems, in all flows that are checked
/// together, before it is told as it seems.
pub const SLOW_STEPS_MAX: usize = 200_000;
/// Edges that are followed to find where variables may be missing, in all flows that are checked together,
/// before no more is looked for: a second's work.
pub const EDGES_WITHOUT_MAX: usize = 20_000_000;
/// Names that misspelt ones of flows checked together are compared with before no more is suggested: a fifth
/// of a second's work.
pub const NAMES_COMPARED_MAX: usize = 2_000_000;
/// Lines of a call script that are told: nobody reads more, and the way there is in the transcript.
pub const SCRIPT_LINES_MAX: usize = 40;
/// Names that a finding lists.
pub const NAMES_LISTED_MAX: usize = 8;
/// What the checker keeps of variables' levels for all ways from one start together: eight such parts for a
/// variable that is set, fifty bytes each.
pub const LABELS_KEPT_MAX: usize = 2_000_000;
/// Arrivals that the checker looks at from one flow in which calls begin: more ways than any flow that people
/// understand has.
pub const ARRIVALS_MAX: usize = 200_000;
/// And those from all flows together, some hundred bytes each: a hundred dialled flows with ten thousand states
/// behind each of them.
pub const ARRIVALS_OF_ALL_MAX: usize = 1_000_000;
/// Characters of one prompt: about four minutes of speech.
pub const PROMPT_CHARS_MAX: usize = 3_000;
/// Steps that the evaluation of one prompt may take.
pub const PROMPT_FUEL: u64 = 20_000;
/// Characters that one prompt may become.
pub const SPOKEN_CHARS_MAX: usize = 6_000;
/// From here on a number is not said to the last digit: a float tells whole numbers apart below it.
pub const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Characters of one text message: four segments.
pub const MESSAGE_CHARS_MAX: usize = 600;
/// Characters of one variable's value.
pub const VARIABLE_CHARS_MAX: usize = 2_000;

/// How long a call is remembered after its last turn.
pub const CALL_RETENTION: Duration = Duration::from_hours(24);
/// How long a voucher holds: as long as callers wait for a specialist and little longer, for what it
/// says grows old with it.
pub const VOUCHER_TTL: Duration = Duration::from_mins(15);
/// How long the audit of a call is kept once it is over: thirteen months, so that a year can be
/// looked back on.
pub const AUDIT_RETENTION: Duration = Duration::from_hours(400 * 24);
/// How long the end of a chain of links is remembered after the last of them: far beyond the links.
pub const AUDIT_HEAD_RETENTION: Duration = Duration::from_hours(10 * 366 * 24);
/// Tries to append a link while others append to the same chain.
pub const AUDIT_TRIES_MAX: usize = 256;
/// No call lasts longer (Twilio's own limit).
pub const CALL_DURATION_MAX: Duration = Duration::from_hours(4);
/// Calls of which a server keeps a copy: some 3 KiB each.
pub const RECENT_CALLS_MAX: usize = 4_096;
/// Calls that are over of which a server has the audit at hand until it is put down, half a second later:
/// as many as end in that time where it is busiest.
pub const AUDITS_AT_HAND: usize = 1_024;
/// Entries of one audit that are kept so: more than any but the longest calls have, some hundred bytes each.
pub const AUDIT_ENTRIES_AT_HAND: usize = 64;
/// Counts of callers' numbers that a server has at hand, some hundred bytes each: as many as ring within a
/// few seconds where it is busiest.
pub const RECORDS_AT_HAND: usize = 2_048;
/// How long one is believed to be as it was left: longer than from a ring to the account that is keyed in,
/// and much shorter than anything is counted for.
pub const RECORD_AT_HAND_FOR: Duration = Duration::from_mins(1);
/// How long a store keeps its name: as long as the ends of its audit's chains.
pub const STORE_NAME_RETENTION: Duration = Duration::from_hours(10 * 366 * 24);
/// How long the trace of a readiness probe is kept: far longer than from one to the next.
pub const PROBE_RETENTION: Duration = Duration::from_hours(24);
/// The longest that a server may go on serving once it was told to stop.
pub const DRAIN_MAX: Duration = Duration::from_mins(1);
/// How often files are looked at that the system may not tell of; what has changed is read when it is looked at once
/// more.
pub const FILES_LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// For how long nobody must have written to files before they are read again: whoever writes a large file in its place,
/// or one file after the other, leaves half of them there meanwhile.
pub const FILES_STAY_FOR: Duration = Duration::from_secs(1);
/// The lines of the log that requests which are refused cause in a minute, for each reason: enough to see by which
/// routes they come, and no more in a year than a disk has room for.
pub const REFUSALS_TOLD_A_MINUTE: u64 = 10;
/// How often a store is looked for that was away when the server started.
pub const STORE_LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);
/// And how often the log says that it still is, and that the outbox can do nothing.
pub const STORE_AWAY_TOLD_EVERY: Duration = Duration::from_secs(5);
/// How often the store is looked at, how it is set up and by what clock.
pub const OUTLOOK_EVERY: Duration = Duration::from_secs(5);
/// How often the outbox tells how much waits in it.
pub const BACKLOG_EVERY: Duration = Duration::from_secs(5);
/// Effects and deadlines under way at once in one server: each waits for a provider most of the time.
pub const OUTBOX_TASKS_MAX: usize = 64;
/// What is passed over because its line has places enough is looked at again so long after the one
/// before it: two hundred a second are soon found still to have to wait, and are no load.
pub const OUTBOX_PASSED_OVER_EVERY: Duration = Duration::from_millis(5);
/// It is looked at again within this, however many there are: a code must come in time if it can.
pub const OUTBOX_PASSED_OVER_WAIT_MAX: Duration = Duration::from_secs(20);
/// How much the threads of the outbox give way to those that answer webhooks: where both want a processor they
/// have a quarter of it, which is more than all that the calls of a processor leave to be done.
pub const OUTBOX_NICENESS: i32 = 5;
/// And how much the thread that reads changed flows and accounts, for which nobody waits: less than a fiftieth, and less
/// than a hash, which callers wait for. A million accounts are half a minute's work.
pub const READING_NICENESS: i32 = 19;
/// How long an effect that was given up on is kept for an operator to look at.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_hours(7 * 24);
/// Longer than one try of a dead letter takes: after it another may try.
pub const DEAD_LETTER_TRY_MAX: Duration = Duration::from_secs(30);
/// Dead letters of one of 64 partitions: of more the oldest are forgotten, and thousands remain to look
/// at.
pub const DEAD_LETTERS_MAX: usize = 100;
/// Flow versions that a server keeps read, some hundred KiB each: more than calls in progress begin
/// with, however busy a designer is.
pub const EDITIONS_AT_HAND: usize = 64;
/// Those who watch the events of one server at once: desks and screens, not every agent's page.
pub const WATCHERS_MAX: usize = 16;
/// Events that a watcher may be behind: a few seconds of a busy server. It is told how many it missed.
pub const EVENTS_BEHIND_MAX: usize = 1_024;
/// A watcher hears something at least this often, so that proxies in between keep the connection.
pub const EVENTS_SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often a lost race is run again before the caller hears the apology.
pub const COMMIT_TRIES_MAX: usize = 8;
/// How often a contended record is read and written again; under attack by hundreds of calls at
/// once one must still get through.
pub const SWAP_TRIES_MAX: usize = 400;

/// Lists and maps within each other in what is stored: far more than any of it has, and no deep stack.
pub const PACKED_DEPTH_MAX: usize = 64;

/// How long one answer of Redis may take: a turn waits for a few of them within [`TURN_DEADLINE`].
pub const STORE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection to Redis may take to stand.
pub const STORE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one question to Redis may take in all, a new connection and a second try included.
pub const STORE_QUESTION_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Connections of each worker on which writes wait for replicas: while one waits, all that came after it on its
/// connection does.
pub const STORE_WAITS_ON: usize = 8;
/// Bytes that Redis has not acknowledged for so long are on a dead connection.
pub const STORE_SILENCE_MAX: Duration = Duration::from_secs(5);
/// A connection to Redis that nothing has gone over for so long is asked after: networks forget idle ones without a
/// word, some of them after four minutes.
pub const STORE_IDLE_ASKED_AFTER: Duration = Duration::from_secs(30);
/// How long before it runs out it is told that our certificate for Redis will.
pub const CERTIFICATE_TOLD_BEFORE: Duration = Duration::from_hours(14 * 24);
/// How far apart the clocks of Redis and of a server may be before the server warns of it: clocks that are kept in
/// step never are, and servers that are a lease apart do each other's work once more.
pub const STORE_CLOCK_APART_MAX: Duration = Duration::from_secs(5);
/// How far the machine's clock may be set forward and be followed without another look: what is kept in step is never
/// set further, and a lease is longer.
pub const CLOCK_STEP_MAX: SignedDuration = SignedDuration::from_secs(5);
/// How often it is looked at whether it was.
pub const CLOCK_LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// Things claimed from Redis at once: more than any worker delivers within a lease.
pub const CLAIM_COUNT_MAX: usize = 1_000;
/// How often a claim looks again when others were quicker or what it found was gone.
pub const CLAIM_ROUNDS_MAX: usize = 4;
/// Calls listed at once: what an operator leafs through.
pub const LISTED_CALLS_MAX: usize = 1_000;
/// Calls of one of 64 partitions whose order Redis remembers: 8,000 in all, a day of a small house, and one
/// fewer than Redis keeps packed in a sorted set (`zset-max-listpack-entries`), a third of the memory.
pub const CALLS_PER_PARTITION_MAX: usize = 127;
/// How long deadlines wait together in Redis: the longer, the fewer lists; and as long too early they are put
/// among what is due, where each takes seven times the room.
pub const DEADLINES_WAIT_FOR: Duration = Duration::from_mins(10);
/// Deadlines of a partition that are put there at once: of all partitions a few milliseconds of Redis, and in
/// ten minutes as many as ten million calls in progress have.
pub const DEADLINES_AT_ONCE: usize = 16;
/// How long small records that run out in it lie together in Redis: they are forgotten together, when it is over.
pub const SMALL_RECORDS_TOGETHER_FOR: Duration = Duration::from_hours(2);
/// Listed calls that are loaded at once: a store serves them side by side, and callers go first.
pub const CALLS_LOADED_AT_ONCE: usize = 16;
/// Seconds after which a page on what is still going on is asked for anew.
pub const PAGE_AGAIN_S: u32 = 10;
/// Writes to the embedded store that share one flush to the disk: as many as wait for one anyway.
pub const STORE_BATCH_MAX: usize = 256;
/// Writers of whom the embedded store waits for most, to flush what they write together: fewer gain less by it
/// than they wait.
pub const STORE_GATHER_FROM: usize = 8;
/// How long the embedded store pauses for more writes to flush together, and how often, while they come: two
/// milliseconds at most, as long as such a flush takes.
pub const STORE_GATHER_PAUSE: Duration = Duration::from_micros(50);
/// See [`STORE_GATHER_PAUSE`].
pub const STORE_GATHER_PAUSES: usize = 20;
/// Pauses in which none came, after which no more are waited for.
pub const STORE_GATHER_PAUSES_IN_VAIN: usize = 2;
/// Calls and records of which the embedded store keeps in memory where they lie, before it begins to write that
/// into the table by id; twice as many at most, some 50 bytes each. The more, the fewer pages for each.
pub const STORE_FRESH_MAX: usize = 262_144;
/// How many of them are then moved for two that come: more than those, so that it comes to an end before they are
/// twice as many. The fewer, the less has each flush to do.
pub const STORE_MOVED_FOR_TWO_PLACED: usize = 3;
/// Writes waiting for the embedded store: more than the busiest second brings.
pub const STORE_QUEUE_MAX: usize = 1_024;
/// Expired things the embedded store forgets in one go, so that turns need not wait for more.
pub const SWEEP_BATCH_MAX: usize = 500;
/// An embedded store below this size is not made smaller: it is not worth the wait.
pub const STORE_COMPACT_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// It is made smaller when no more than this is in use, as at night: turns wait until what is in use
/// has been moved. That took 0.3 s of 1 GiB (a release build), and 6 s where 180 MiB were in use.
pub const STORE_COMPACT_USED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Of more rows it is not asked what is in use: to find out took 0.6 s where 100,000 calls were live.
pub const STORE_COMPACT_ROWS_MAX: u64 = 16_384;
/// When it is opened nobody waits for a turn yet, and more may be moved: six seconds.
pub const STORE_COMPACT_AT_START_USED_BYTES_MAX: u64 = 192 * 1024 * 1024;
/// And more looked through: the audit of half a million calls takes three.
pub const STORE_COMPACT_AT_START_ROWS_MAX: u64 = 524_288;
/// How often it is looked at: finding out takes time in which nothing is written.
pub const STORE_COMPACT_EVERY: Duration = Duration::from_hours(1);
/// What the embedded store keeps of its file in memory.
pub const STORE_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// An embedded store up to this size is verified whole when it is opened: under half a second.
pub const STORE_VERIFIED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Telephone numbers of which is kept what the numbering plans tell: some hundred bytes each.
pub const NUMBERS_TOLD: usize = 10_000;

/// Lines of the log are gathered for so long: a person who looks on does not see it.
pub const LOG_HELD_FOR: Duration = Duration::from_millis(50);
/// Bytes of the log that are gathered: more than a busy moment brings.
pub const LOG_BYTES_HELD_MAX: usize = 256 * 1024;
/// Bytes of the log that wait where nobody takes them: half a minute of a busy server. What is more is lost.
pub const LOG_BYTES_WAITING_MAX: usize = 8 * 1024 * 1024;
/// How long the last lines of a server that stops may take to be written.
pub const LOG_LAST_WRITTEN_WITHIN: Duration = Duration::from_secs(1);
