package dialect

import "pubsub/bench/load"

// Browser is a dialect whose polls have the headers of a browser, some 640 bytes.
func Browser(d load.Dialect) load.Dialect { return browser{d} }

type browser struct{ load.Dialect }

const browserHeaders = "Connection: keep-alive\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
	"Accept: application/json\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n" +
	"DNT: 1\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: cors\r\n" +
	"Sec-Fetch-Dest: empty\r\n" +
	"Referer: https://chat.example.com/rooms/engineering?theme=dark&channel=bench\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7\r\n" +
	"Cookie: theme=dark; visited=2026-11-30T09:41\r\n" +
	"Cache-Control: no-cache\r\n" +
	"Pragma: no-cache\r\n"

// AppendPoll implements [load.Dialect].
func (d browser) AppendPoll(b []byte, host, channel string, cursor []byte) []byte {
	b = d.Dialect.AppendPoll(b, host, channel, cursor)
	return append(append(b[:len(b)-len("\r\n")], browserHeaders...), "\r\n"...)
}
