// Package lines offers one campaign's pacing as JSON lines on a virtual
// clock, so that anyone can judge it from outside, in any language:
//
//	→ {"type":"start","day":0,"budget":120.5,"forecast":[…],"at":2}
//	→ {"type":"bid","t":31.5,"id":17,"pl":4,"v":2.35}
//	← {"bid":0.81}
//	→ {"type":"win","t":33.1,"id":17,"cost":0.00062}
//	→ {"type":"end"}
//
// t is seconds of the day, v and bid are CPM, cost and budget are currency.
// Each bid line is answered with one line, at once; nothing else is answered.
//
// Slow side of pacing/plan: reads and writes, one goroutine, and no allocation
// per line. Imports pacing/plan and internal only.
package lines
