package history

import (
	"strconv"
	"time"
)

// Message is one message in a channel's log.
type Message struct {
	ID   uint64    // goes up by 1 within the channel's epoch
	Time time.Time // strictly increasing within the epoch, to the microsecond

	// JSON is one object with id, timestamp, channel and the fields that were posted. All
	// readers share it: do not change it.
	JSON []byte
}

// Reserved are the fields that the server sets. A posted object must not have them.
var Reserved = [...]string{"id", "timestamp", "channel"}

// NewMessage makes a message of a posted object, which it copies: see [Post].
func NewMessage(id uint64, at time.Time, channel string, object []byte) Message {
	return Message{ID: id, Time: at, JSON: encode(id, at, channel, object)}
}

func encode(id uint64, at time.Time, channel string, object []byte) []byte {
	b := make([]byte, 0, len(object)+len(channel)+64)
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, `,"timestamp":`...)
	b = AppendTimestamp(b, at)
	b = append(b, `,"channel":"`...)
	b = append(b, channel...) // channel names need no escaping
	b = append(b, '"')
	if len(object) > len("{}") {
		b = append(b, ',')
	}
	return append(b, object[1:]...)
}

// AppendTimestamp appends a time as Unix seconds with six decimals, in the form of all
// answers. It avoids a float64, which may not be exact.
func AppendTimestamp(b []byte, at time.Time) []byte {
	us := at.UnixMicro()
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	fraction := strconv.AppendInt(nil, 1e6+us%1e6, 10)
	return append(b, fraction[1:]...)
}
