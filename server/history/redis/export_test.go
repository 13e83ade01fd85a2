package redis

import "context"

// Beat rings as Listen does now and then.
func (l *Log) Beat(ctx context.Context) error { return l.beat(ctx) }
