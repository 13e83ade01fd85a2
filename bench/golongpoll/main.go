// Golongpoll serves the module jcuga/golongpoll as it comes, to be compared.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/jcuga/golongpoll"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	flag.Parse()
	manager, err := golongpoll.StartLongpoll(golongpoll.Options{
		MaxEventBufferSize:     1000, // as many as the other targets keep; its own default is 250
		EventTimeToLiveSeconds: 5 * 60,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Shutdown()
	http.HandleFunc("/sub", manager.SubscriptionHandler)
	http.HandleFunc("/pub", manager.PublishHandler)
	log.Print(http.ListenAndServe(*addr, nil))
}
