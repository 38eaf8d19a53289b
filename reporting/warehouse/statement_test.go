package warehouse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAnalyse(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		want      statement
		data      string // what follows the format's name
	}{
		{"select", "SELECT 1", statement{kind: "SELECT", selects: true}, ""},
		{"format", "select 1 format JSON;", statement{kind: "SELECT", selects: true, format: "JSON"}, ""},
		{"format before settings", "SELECT 1 FORMAT CSV SETTINGS max_threads = 1", statement{kind: "SELECT", selects: true, format: "CSV"}, ""},
		{"format function", "SELECT format('{}', x) FROM t", statement{kind: "SELECT", selects: true}, ""},
		{"bracketed", "(SELECT 1) UNION ALL (SELECT 2)", statement{kind: "(", selects: true}, ""},
		{"totals are not streamed", "SELECT 1 GROUP BY 1 WITH TOTALS", statement{kind: "SELECT"}, ""},
		{"comment first", "-- x\n/* y /* z */ */ SELECT 1", statement{kind: "SELECT", selects: true}, ""},
		{"show", "SHOW TABLES", statement{kind: "SHOW"}, ""},
		{"ddl", "CREATE TABLE t (a String) ENGINE = Memory", statement{kind: "CREATE", write: true}, ""},
		{"insert native", "INSERT INTO t (a, b) FORMAT Native\n\x01;'", statement{kind: "INSERT", write: true, dataFormat: "Native"}, "\n\x01;'"},
		{"insert with settings", "INSERT INTO d.t SETTINGS a='FORMAT x' FORMAT CSV\n1,'", statement{kind: "INSERT", write: true, dataFormat: "CSV"}, "\n1,'"},
		{"insert values", "insert into `t` values (1, ';')", statement{kind: "INSERT", write: true, dataFormat: "Values"}, " (1, ';')"},
		{"insert select", "INSERT INTO t SELECT 1", statement{kind: "INSERT", write: true}, ""},
		{"table named format", "INSERT INTO format SELECT 1", statement{kind: "INSERT", write: true}, ""},
		{"database named format", "INSERT INTO format.values VALUES (1)", statement{kind: "INSERT", write: true, dataFormat: "Values"}, " (1)"},
		{"with insert", "WITH 1 AS x INSERT INTO t SELECT x", statement{kind: "WITH", write: true}, ""},
		{"column named file", "SELECT file, disk FROM t WHERE p = 'into outfile'", statement{kind: "SELECT", selects: true}, ""},
		{"attach partition", "ALTER TABLE t ATTACH PARTITION 1 FROM s", statement{kind: "ALTER", write: true}, ""},
		{"heredoc", "SELECT $x$ ; $x$", statement{kind: "SELECT", selects: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := analyse([]byte(c.sql))
			require.NoError(t, err)
			if c.data != "" {
				require.Equal(t, c.data, c.sql[got.dataAt:])
			}
			got.settingsFrom, got.dataFrom, got.dataAt = 0, 0, 0
			require.Equal(t, c.want, got)
		})
	}
}

func TestAnalyseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		code      int
	}{
		{"empty", " -- nothing", codeSyntax},
		{"unknown word", "exit", codeSyntax},
		{"two statements", "SELECT 1; SELECT 2", codeSyntax},
		{"two behind values", "INSERT INTO t VALUES (1); SELECT 2", codeSyntax},
		{"open quote", "SELECT 'a", codeSyntax},
		{"open comment", "SELECT 1 /* /* */", codeSyntax},
		{"outfile", "SELECT 1 INTO OUTFILE 'x'", codeAccessDenied},
		{"outfile apart", "SELECT 1 into--\n OutFile 'x'", codeAccessDenied},
		{"infile", "INSERT INTO t FROM INFILE 'x' FORMAT CSV", codeAccessDenied},
		{"file function", "SELECT file('x')", codeAccessDenied},
		{"file function apart", "SELECT File -- \n ('x')", codeAccessDenied},
		{"file function quoted", "SELECT `file`('x')", codeAccessDenied},
		{"file function escaped", "SELECT `fi\\x6ce`('x')", codeAccessDenied},
		{"file function in typographic quotes", "SELECT “file”('x')", codeAccessDenied},
		{"file function in values", "INSERT INTO t VALUES (file('x'))", codeAccessDenied},
		{"file function in FORMAT Values", "INSERT INTO t FORMAT Values (file('x'))", codeAccessDenied},
		{"file applied", "SELECT * APPLY file FROM t", codeAccessDenied},
		{"file applied in brackets", "SELECT * APPLY(file) FROM t", codeAccessDenied},
		{"behind a table named format", "INSERT INTO format SELECT file('x')", codeAccessDenied},
		{"hidden by a nested comment", "SELECT 1 /* /* */ ' */, file('x') --'", codeAccessDenied},
		{"hidden by typographic quotes", "SELECT ‘'’, file('x') --'", codeAccessDenied},
		{"hidden by a heredoc", "SELECT $$'$$, file('x') --'", codeAccessDenied},
		{"hidden by a backslash", `SELECT '\\', file('x') --'`, codeAccessDenied},
		{"disk", "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local)", codeAccessDenied},
		{"attach", "ATTACH TABLE t FROM 'x' (a Int8) ENGINE = MergeTree ORDER BY a", codeAccessDenied},
		{"attach behind another", "CREATE TABLE a (a Int8) ENGINE = Memory PARALLEL WITH ATTACH TABLE t FROM 'x' (a Int8) ENGINE = Memory", codeAccessDenied},
		{"attach explained", "EXPLAIN AST ATTACH TABLE t", codeAccessDenied},
		{"parallel", "DROP TABLE a PARALLEL WITH DROP TABLE b", codeAccessDenied},
		{"backup", "BACKUP TABLE t TO File('x')", codeAccessDenied},
		{"copy", "COPY t TO STDOUT", codeAccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := analyse([]byte(c.sql))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code, e.Error())
		})
	}
}

// A call of a guarded function is found whatever literals and comments stand before it.
func TestAnalyseFindsFunction(t *testing.T) {
	pieces := []string{"1", "'a'", "'it''s'", `'\''`, "`q`", `"w"`, "x /* c */", "x -- '\n", "‘'’", "$t$'$t$", "f(1)", "x /* /* ' */ */"}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces")
		_, err := analyse([]byte("SELECT " + strings.Join(append(list, "file('x')"), ", ")))
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, codeAccessDenied, e.Code)
	})
}

func FuzzAnalyse(f *testing.F) {
	for _, s := range []string{"SELECT 1", "INSERT INTO t FORMAT CSV\n1", "SELECT $a$x$a$, ‘'’ /* /* */ */", "INSERT INTO {t:Identifier} VALUES (1)", "\xe2\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		st, err := analyse(sql)
		if err == nil && (st.dataAt < 0 || st.dataAt > len(sql) || st.kind == "") {
			t.Fatalf("%+v", st)
		}
	})
}

func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		l := lexer{sql: []byte(quote(s) + quoteIdentifier(s))}
		require.Equal(t, tokenString, l.next().kind)
		require.Equal(t, tokenIdentifier, l.next().kind)
		require.Equal(t, tokenEnd, l.next().kind)
	})
}

func TestParseEngineError(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Error
	}{
		{"plain", "Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)", Error{60, "UNKNOWN_TABLE", "Table x does not exist."}},
		{"wrapped", "Code: 452. DB::Exception: Code: 452. DB::Exception: No. (S_C) (version 26.5.1.1). (S_C)", Error{452, "S_C", "No."}},
		{"errno", "Code: 107. DB::ErrnoException: Cannot open (x). (FILE_DOESNT_EXIST)", Error{107, "FILE_DOESNT_EXIST", "Cannot open (x)."}},
		{"not an engine's", "boom", Error{1001, "STD_EXCEPTION", "boom"}},
		{"no number", "Code: x. y", Error{1001, "STD_EXCEPTION", "Code: x. y"}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, *parseEngineError(c.text)) })
	}
}
