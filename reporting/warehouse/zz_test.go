package warehouse
import ("testing";"fmt")
func TestZZ(t *testing.T){
	fmt.Print(must(t, "SELECT getSetting('max_result_bytes'), getSetting('max_query_size') FORMAT JSON"))
	for _, q := range []string{"SELECT number, repeat('x', 100) FROM numbers(1000000) FORMAT JSON", "SELECT number, repeat('x', 100) FROM numbers(1000000) FORMAT JSON SETTINGS max_result_bytes=8388608", "SELECT number, repeat('x', 100) FROM numbers(1000000) FORMAT JSON SETTINGS max_threads=1"} {
	r := ask(t, q); fmt.Println(r.status, len(r.body), r.body[:50]) }
	must(t, "CREATE TABLE zz (a UInt64, b UInt64, c FixedString(16)) ENGINE=MergeTree ORDER BY a")
	for _, n := range []int{1000,10000,50000,100000,200000,1000000} {
	b := must(t, fmt.Sprintf("SELECT number AS a, number+1 AS b, toFixedString(leftPad(toString(number),16,'0'),16) AS c FROM numbers(%d) FORMAT Native SETTINGS max_block_size=10000000", n))
	r := ask(t, b, "query", "INSERT INTO zz FORMAT Native")
	fmt.Println(n, len(b), r.status, r.body)
	}
	b := must(t, "SELECT number AS a, number+1 AS b, leftPad(toString(number),16,'0') AS c FROM numbers(1000000) FORMAT TSV")
	r := ask(t, b, "query", "INSERT INTO zz FORMAT TSV")
	fmt.Println(len(b), r.status, r.body)
	fmt.Print(must(t, "SELECT count(), uniqExact(a) FROM zz"))
}
