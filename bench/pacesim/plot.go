package pacesim

import (
	"bytes"
	"fmt"
	"math"
)

const (
	plotWidth, plotHeight = 640.0, 150.0
	plotLeft, plotGap     = 60.0, 34.0
	plotPoints            = 240
)

// SVG draws a judged day: requests against the forecast, money spent against
// the budget, and the mean multiplier that was bid.
func SVG(r *Result) []byte {
	var out bytes.Buffer
	height := 3*(plotHeight+plotGap) + 30
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">`+"\n",
		plotLeft+plotWidth+20, height)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%.0f" y="16" font-size="13">%s, seed %d: %.2f %% of hindsight, %.2f %% delivered</text>`+"\n",
		plotLeft, r.Scenario, r.Seed, r.Share, r.Delivered)
	requests := func(m *Minute) float64 { return float64(m.Requests) }
	forecast := func(m *Minute) float64 { return m.Forecast }
	spend := func(m *Minute) float64 { return m.Spend }
	ratio := func(m *Minute) float64 { return m.Ratio }
	budget := func(*Minute) float64 { return r.Budget }
	best := func(*Minute) float64 { return r.BestK }
	r.panel(&out, 0, "requests a minute (line) and forecast (dashed)", requests, forecast)
	r.panel(&out, 1, "spent (line) and budget (dashed)", spend, budget)
	r.panel(&out, 2, "bid ÷ value (line) and the best constant in hindsight (dashed)", ratio, best)
	out.WriteString("</svg>\n")
	return out.Bytes()
}

func (r *Result) panel(out *bytes.Buffer, n int, title string, line, dashed func(*Minute) float64) {
	top := 30 + float64(n)*(plotHeight+plotGap)
	high := 0.0
	for i := range r.Series {
		high = math.Max(high, math.Max(line(&r.Series[i]), dashed(&r.Series[i])))
	}
	if high == 0 {
		high = 1
	}
	fmt.Fprintf(out, `<text x="%.0f" y="%.0f">%s</text>`+"\n", plotLeft, top+10, title)
	fmt.Fprintf(out, `<path d="M%.0f %.0fV%.0fH%.0f" fill="none" stroke="#999"/>`+"\n", plotLeft, top+16, top+plotHeight, plotLeft+plotWidth)
	fmt.Fprintf(out, `<text x="%.0f" y="%.0f" text-anchor="end">%.4g</text><text x="%.0f" y="%.0f" text-anchor="end">0</text>`+"\n",
		plotLeft-4, top+24, high, plotLeft-4, top+plotHeight)
	for h := 0; h <= 24; h += 6 {
		fmt.Fprintf(out, `<text x="%.0f" y="%.0f" text-anchor="middle">%d:00</text>`+"\n", plotLeft+plotWidth*float64(h)/24, top+plotHeight+13, h)
	}
	r.line(out, top, high, `stroke="#c60" stroke-dasharray="5 4"`, dashed)
	r.line(out, top, high, `stroke="#06c"`, line)
}

// line draws the mean of every few minutes.
func (r *Result) line(out *bytes.Buffer, top, high float64, style string, of func(*Minute) float64) {
	each := max(1, len(r.Series)/plotPoints)
	fmt.Fprintf(out, `<polyline fill="none" %s points="`, style)
	for m := 0; m+each <= len(r.Series); m += each {
		sum := 0.0
		for i := m; i < m+each; i++ {
			sum += of(&r.Series[i])
		}
		x := plotLeft + plotWidth*(float64(m)+float64(each)/2)/float64(len(r.Series))
		y := top + plotHeight - (plotHeight-18)*sum/float64(each)/high
		fmt.Fprintf(out, "%.1f,%.1f ", x, y)
	}
	out.WriteString("\"/>\n")
}
