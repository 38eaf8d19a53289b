// Package schema owns the ClickHouse database `grosz`: how to reach the
// server, the tables and views as SQL migrations, and applying them. The
// embedded engine and a ClickHouse server get the same ones. The loader fills
// the tables; console and analysts read the views (docs/analyst.md).
//
// Slow: every call goes to ClickHouse. A connection is a pool, safe for many
// goroutines. Imports nothing of Grosz.
package schema
