package poll

import (
	"iter"
	"net/http"
	"slices"
	"strconv"

	"pubsub/server/access"
	"pubsub/server/web"
)

const (
	manyChannels = 250     // a longer list counts as a costly read
	listPart     = 8 << 10 // bytes of a list that are written at a time
	nameBytes    = 16      // of a name in memory, without its text, which is shared
)

// Channels lists, sorted, the channels that have messages or a pending poll, except those that
// the client may not read. The field limit bounds the list. It begins after the name in the
// field after.
func (p *Polls) Channels(w http.ResponseWriter, r *http.Request) error {
	if !p.listed {
		return web.Refuse(http.StatusNotFound, "The channels are not listed here. Whoever runs the server can allow that in PUBSUB_LIST_CHANNELS.")
	}
	limit, after, err := listOf(r)
	if err != nil {
		return err
	}
	readable, err := p.access.Readable(r)
	if err != nil {
		return err
	}
	n, err := p.hub.Len(r.Context())
	if err != nil {
		return err
	}
	if max(n, p.access.WaitedChannels()) > manyChannels {
		if err := p.access.AdmitRead(r); err != nil {
			return err
		}
	}
	kept, err := p.hub.Channels(r.Context())
	if err != nil {
		return err
	}
	waited := p.access.Channels()
	giveBack, ok := p.access.HoldAnswer(r, nameBytes*(len(kept)+len(waited)))
	if !ok {
		return access.ErrUnread
	}
	defer giveBack()
	return writeList(w, only(readable, union(behind(kept, after), behind(waited, after))), limit)
}

// only returns the names for which may is true.
func only(may func(string) bool, names iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range names {
			if may(name) && !yield(name) {
				return
			}
		}
	}
}

// listOf parses which part of the list is asked for. A limit of 0 is all.
func listOf(r *http.Request) (limit int, after string, err error) {
	fields, err := web.FieldsOf(r)
	if err != nil {
		return 0, "", err
	}
	if text := fields.First("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, "", web.Refuse(http.StatusBadRequest, "limit must be a number of channels, such as 100.")
		}
	}
	return limit, fields.First("after"), nil
}

// behind returns the names after a name in a sorted list.
func behind(names []string, after string) []string {
	at, found := slices.BinarySearch(names, after)
	if found {
		at++
	}
	return names[at:]
}

// union merges two sorted lists. A name that is in both is returned once.
func union(a, b []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(a) > 0 || len(b) > 0 {
			var next string
			switch {
			case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
				next, a = a[0], a[1:]
			case len(a) == 0 || b[0] < a[0]:
				next, b = b[0], b[1:]
			default:
				next, a, b = a[0], a[1:], b[1:]
			}
			if !yield(next) {
				return
			}
		}
	}
}

// writeList writes at most limit of the names, all if it is 0. It writes small parts, so that
// a client that does not read holds the memory of one part only.
func writeList(w http.ResponseWriter, names iter.Seq[string], limit int) error {
	part, n, more := append(make([]byte, 0, listPart+256), `{"active_channels":[`...), 0, false
	for name := range names {
		if more = limit > 0 && n == limit; more {
			break
		}
		if n++; n > 1 {
			part = append(part, ',')
		}
		part = append(append(append(part, '"'), name...), '"') // channel names need no escaping
		if len(part) < listPart {
			continue
		}
		if err := web.Write(w, http.StatusOK, web.JSON, part); err != nil {
			return err
		}
		part = part[:0]
	}
	part = append(part, ']')
	if limit > 0 {
		part = strconv.AppendBool(append(part, `,"more":`...), more)
	}
	return web.WriteBody(w, http.StatusOK, append(part, "}\n"...))
}
