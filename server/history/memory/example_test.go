package memory_test

import (
	"context"
	"fmt"
	"log"

	"pubsub/server/history"
	"pubsub/server/history/memory"
)

// A reader goes on after the cursor of the page that it had last.
func ExampleLog_Read() {
	ctx, l := context.Background(), memory.New(history.Options{})
	defer l.Close()
	for _, object := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
		if _, err := l.Append(ctx, history.Post{Channel: "news", Object: []byte(object)}); err != nil {
			log.Fatal(err)
		}
	}

	since := history.All()
	for more := true; more; {
		page, err := l.Read(ctx, history.Query{Channel: "news", Since: since, Limit: 2}) // at most 2 messages
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range page.Messages {
			fmt.Print("id ", m.ID, " ")
		}
		fmt.Println("more:", page.More)
		since, more = history.After(page.Cursor), page.More
	}
	// Output:
	// id 1 id 2 more: true
	// id 3 more: false
}

// A reader whose messages have left the log is told how many it missed.
func ExampleLog_Read_gap() {
	ctx, l := context.Background(), memory.New(history.Options{Messages: 2})
	defer l.Close()
	var first history.Receipt
	for n := range 5 {
		receipt, err := l.Append(ctx, history.Post{Channel: "news", Object: []byte(`{"message":"hi"}`)})
		if err != nil {
			log.Fatal(err)
		}
		if n == 0 {
			first = receipt
		}
	}

	page, err := l.Read(ctx, history.Query{Channel: "news", Since: history.After(first.Cursor), Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Gap.Reason, page.Gap.Missed)
	fmt.Println("goes on with id", page.Messages[0].ID)
	// Output:
	// expired 2
	// goes on with id 4
}

// A post that is repeated with its key is not appended again.
func ExampleLog_Append() {
	ctx, l := context.Background(), memory.New(history.Options{})
	defer l.Close()
	post := history.Post{Channel: "news", Object: []byte(`{"message":"hi"}`), Key: "4c1d"}
	for range 2 {
		receipt, err := l.Append(ctx, post)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("id", receipt.Message.ID, "repeat:", receipt.Repeat)
	}
	// Output:
	// id 1 repeat: false
	// id 1 repeat: true
}
