package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// An application logs a model call, and what its user thought of it.
func Example() {
	ctx := context.Background()
	c, err := client.New([]string{"127.0.0.1:9092"}, client.WithSource("support-bot"))
	if err != nil {
		log.Fatal(err)
	}
	call := &schemas.Inference{RequestModel: "gpt-x", InputMessages: "Where is my parcel?", OutputMessages: "It arrives tomorrow."}
	if _, err := c.Inference(ctx, call); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Feedback(ctx, &schemas.Feedback{InferenceID: call.EventID, Thumb: "up"}); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(ctx); err != nil { // waits for every acknowledgement
		log.Fatal(err)
	}
	fmt.Println("both are on the bus")
}
