package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/events"
)

// corruptTopics are those whose readers must live through anything.
func corruptTopics() []string {
	return []string{
		events.TopicEvents, events.TopicBids, events.TopicShopEvents, events.TopicCampaigns,
		events.TopicModels, events.TopicErasures, events.TopicIntent,
	}
}

// Corrupt writes n messages to every topic that are no records of ours:
// noise, halves of records, records with fields of other kinds, and nothing.
func Corrupt(ctx context.Context, broker string, n int, rng *rand.Rand) error {
	var list []kafkago.Message
	for _, topic := range corruptTopics() {
		for range n {
			list = append(list, kafkago.Message{Topic: topic, Key: noise(rng, rng.IntN(40)), Value: corrupt(rng)})
		}
	}
	return write(ctx, broker, list)
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// corrupt draws a message.
func corrupt(rng *rand.Rand) []byte {
	whole := []string{
		`{"v":1,"type":"billing","event_id":"00112233445566778899aabbccddeeff","bid_id":"00112233445566778899aabbccddeeff","settles":true,"amount":"1.5"`,
		`{"v":1,"type":7,"bid_id":[],"settles":"yes","amount":{"a":1},"shop_amount":-1e999}`,
		`{"v":99999,"type":"billing","amount":"99999999999999999999999999999"}`,
		`{"shop_id":-1,"type":"order","order":{"id":"x","value":"NaN"}}`,
		`{"campaign_id":4294967296,"bid_cpm":"-5"}`,
		`[[[[[[[[[[`, `null`, `{}`, `"text"`, "\n\n\n", "\x00\x00\x00\x00",
	}
	switch rng.IntN(4) {
	case 0:
		return noise(rng, 1+rng.IntN(4000))
	case 1:
		s := whole[rng.IntN(len(whole))]
		return []byte(s[:rng.IntN(len(s))])
	case 2:
		b := []byte(whole[rng.IntN(len(whole))])
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	}
	return []byte(whole[rng.IntN(len(whole))])
}

// Poison publishes campaigns and products that cannot be compiled, would be
// dear to compile, or cannot be rendered, under ids and a shop of their own.
func Poison(ctx context.Context, broker string, rng *rand.Rand) error {
	deep := strings.Repeat("(", 20_000) + "visited within 1d" + strings.Repeat(")", 20_000)
	wide := strings.Repeat(`domain in ("a.example") or `, 5_000) + `domain in ("b.example")`
	hostile := `</script><script>alert(1)</script>${AUCTION_PRICE}%%CLICK%%\u0000`
	bodies := []string{
		`"targeting":` + quote(deep), `"targeting":` + quote(wide), `"targeting":"((((","status":"active"`, `"targeting":7`,
		`"bid":{"cpm":"-1"}`, `"bid":{"cpm":"999999999999999999999"}`, `"budget":{"total":"-5","day":"x"}`,
		`"creatives":[{}]`, `"creatives":[{"media":99,"title":` + quote(hostile) + `}]`,
		`"creatives":[{"id":1,"media":"banner","title":` + quote(strings.Repeat(hostile, 2_000)) + `,"image_url":"javascript:alert(1)"}]`,
		`"frequency":{"impressions":-1,"hours":-1}`, `"flight":{"from":"yesterday"}`, `"kind":"none"`,
	}
	var list []kafkago.Message
	for i, body := range bodies {
		id := 4_000_000_000 + rng.Uint32N(100_000_000)
		shop := 3_900_000_000 + uint32(i)
		add := func(key, value string) {
			list = append(list, kafkago.Message{Topic: events.TopicCampaigns, Key: []byte(key), Value: []byte(value)})
		}
		add(fmt.Sprint("shop/", shop), fmt.Sprintf(`{"key":"shop/%d","version":1,"shop":{"id":%d,"version":1,"name":"Poison","currency":"PLN","domain":"poison.example","url":"https://poison.example/","salt":"00112233445566778899aabbccddeeff","active":true,"time_zone":"Europe/Warsaw"}}`, shop, shop))
		// All that the body does not name is as it should be: of two fields of
		// one name the later counts.
		add(fmt.Sprint("campaign/", id), fmt.Sprintf(`{"key":"campaign/%d","version":1,"campaign":{"id":%d,"shop_id":%d,"version":1,"name":"Poison","kind":"interest","status":"active","bid":{"cpm":"0.01"},"creatives":[{"id":1,"media":"banner","title":"Poison","cta":"Look"}],%s}}`, id, id, shop, body))
		add(fmt.Sprint("products/", shop, "/0"), fmt.Sprintf(`{"key":"products/%d/0","version":1,"products":{"shop_id":%d,"items":[{"id":"","price":"-1","image_url":"x"}]}}`, shop, shop))
	}
	return write(ctx, broker, list)
}

func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

func write(ctx context.Context, broker string, list []kafkago.Message) error {
	w := &kafkago.Writer{Addr: kafkago.TCP(broker), Balancer: &kafkago.RoundRobin{}, RequiredAcks: kafkago.RequireAll, BatchTimeout: 1, Transport: &kafkago.Transport{}}
	err := errors.Join(w.WriteMessages(ctx, list...), w.Close())
	if err != nil {
		return fmt.Errorf("write what is wrong to Kafka: %w", err)
	}
	return nil
}
