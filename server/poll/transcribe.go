package poll

import (
	"encoding/json"
	"strings"
	"unicode/utf16"

	"pubsub/server/history"
)

// transcribe writes a message as "nick: message" and a newline.
func transcribe(m history.Message) string {
	var object map[string]any // not a struct, which would take NICK for the nick, too
	_ = json.Unmarshal(m.JSON, &object)
	if object["nick"] == nil {
		object["nick"] = "unknown"
	}
	return oneLine(object["nick"]) + ": " + oneLine(object["message"]) + "\n"
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// oneLine returns a value of a message as text without line ends.
func oneLine(value any) string {
	text, ok := value.(string)
	if !ok {
		raw, _ := json.Marshal(value) // the value came from JSON, so this cannot fail
		text = string(raw)
	}
	return lineEnds.Replace(text)
}

func utf16Len(text string) (n int) {
	for _, c := range text {
		n += utf16.RuneLen(c)
	}
	return n
}
