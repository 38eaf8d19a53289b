// Package warehouse is ClickHouse for one machine: libchdb, ClickHouse as a
// shared library, behind ClickHouse's own HTTP interface. clickhouse-go in HTTP
// mode, clickhouse-connect, curl and other HTTP clients work on it as on a
// server; the rest of Grosz cannot tell them apart. It owns the engine's data
// folder, its password and its listener, and nothing of the schema.
//
// It is slow code: nothing of it runs on the bid path, and it must be imported
// only by the role that runs it, in a process of its own, for the engine brings
// its own threads, allocator and memory. The package needs no cgo.
//
// # One request
//
//	http.go       the handler: password, parameters, statement, slot, answer
//	auth.go       who asks
//	params.go     URL parameters: settings, query parameters, options
//	body.go       the statement from URL and body; an INSERT's data into a file
//	statement.go  what kind of statement it is, its format, where its data begins
//	guard.go      what is refused by its tokens
//	lexer.go      ClickHouse's tokens, as far as these two need them
//	sessions.go   session_id: connections that are kept
//	gate.go       how many run and wait
//	answer.go     response headers, encodings, errors before and inside a body
//	formats.go    which results can be sent piece by piece
//	native.go     the Native format at the client's protocol revision
//	engine.go     connections, queries, streams, cancelling
//	libchdb.go    the library's functions, loaded with purego
//	writes.go     writes of the engine that fail; writes_linux.go gets hold of them
//	library.go    where the library is looked for
//	settings.go   the engine's configuration: memory, fsync, grants
//	server.go     Start, Close
//
// Every request gets an engine connection of its own (0.2 to 1 ms), so what a
// statement sets, uses or creates temporarily ends with it, as on a server.
// Statements that write pass one at a time, so that small inserts make no crowd
// of merges; those that read share Config.Queries slots. Neither waits for the
// other.
//
// # Durability
//
// An insert is acknowledged after its part and the part's folder are fsynced
// (fsync_after_insert, fsync_part_directory), so it survives kill -9 of the
// process and, as far as the disk keeps its word, loss of power. CREATE and
// ALTER are fsynced by ClickHouse's default (fsync_metadata), and merged parts
// by settings.go. All this holds for tables of the MergeTree family only.
//
// The library goes on after a write that failed, as if the disk had taken it
// (its build leaves the error out). writes.go makes it notice: such a file's
// fdatasync fails, so that the insert or merge is undone.
//
// # What callers may not do
//
// The engine runs with the rights of a process on the host, so its user is
// given grants that reach tables only: table functions, table engines and
// databases that read files or the network (file, url, s3, remote, mysql, …),
// dictionaries, BACKUP, users and SYSTEM SHUTDOWN answer ACCESS_DENIED from the
// engine itself. Settings that name a file or another parser are fixed, and
// max_memory_usage cannot be raised. Grants do not cover INTO OUTFILE and FROM
// INFILE, which the library's client half executes, nor a few functions (file,
// disk, catboostEvaluate, ai…), nor ATTACH … FROM; those are refused by their
// tokens, in guard.go. ATTACH is the one to fear: with FROM it moves any folder
// that the process may move into the engine's own, so it is refused in every form
// but ALTER TABLE … ATTACH PARTITION. Run the warehouse as a user without rights to the
// rest of the host all the same.
//
// # What differs from a server
//
// No dictionaries, external tables (multipart files), INSERT … SELECT FROM input(),
// and DETACHed tables come back with a restart only. Column types that clickhouse-go
// cannot decode cannot be sent in Native to a client which gives
// client_protocol_version; any other format has them. In that format LowCardinality
// arrives as its plain type and a DateTime without its time zone (DateTime64 keeps it).
// A result that is not streamed (JSON, Pretty, Parquet, …, wait_end_of_query) must fit
// into a query's memory.
package warehouse
