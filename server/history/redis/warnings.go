package redis

import (
	"context"
	"strings"
)

// Warnings returns sentences about settings of Redis that may lose acknowledged messages. A
// setting that Redis does not tell gets no warning.
func (l *Log) Warnings() (all []string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	info, err := l.client.Do(ctx, l.client.B().Info().Build()).ToString()
	if err != nil {
		return nil
	}
	has := func(line string) bool { return strings.Contains(info, "\r\n"+line+"\r\n") }
	if strings.Contains(info, "\r\nmaxmemory_policy:") && !has("maxmemory_policy:noeviction") {
		all = append(all, "this Redis drops messages when its memory is full: set its maxmemory-policy to noeviction")
	}
	save, _ := l.client.Do(ctx, l.client.B().ConfigGet().Parameter("save").Build()).AsStrMap()
	if value, told := save["save"]; told && value == "" && has("aof_enabled:0") {
		all = append(all, "this Redis keeps nothing on a disk, so its end is the end of all messages: set its appendonly to yes")
	}
	return all
}
