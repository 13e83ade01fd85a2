package conformance_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"pubsub/internal/pubsubtest"
)

// Short names for what nearly every case uses; pubsubtest says what they are.
type (
	body   = pubsubtest.Body
	answer = pubsubtest.Answer
	conn   = pubsubtest.Conn
	site   = pubsubtest.Site
)

const (
	patience   = pubsubtest.Patience
	urlencoded = pubsubtest.FormType
)

var (
	form     = pubsubtest.Form
	parts    = pubsubtest.Parts
	typed    = pubsubtest.Text
	jsonText = pubsubtest.JSON
	nothing  body
)

var (
	runID   = strconv.FormatInt(time.Now().UnixNano(), 36)
	counter atomic.Int64
)

// fresh is a text, and a channel's name, that no case of any run has used.
func fresh() string { return fmt.Sprintf("t-%s-%d", runID, counter.Add(1)) }
