namespace Weir.Protocol;

/// <summary>The APIs of the protocol. Numbers are frozen.</summary>
public enum ApiKey : ushort
{
    /// <summary>First request on every connection: who speaks, and which versions.</summary>
    Hello = 0,

    /// <summary>Proves who the client is.</summary>
    Authenticate = 1,

    /// <summary>Brokers, topics, partitions and their leaders.</summary>
    Metadata = 2,

    /// <summary>Creates a topic.</summary>
    CreateTopic = 3,

    /// <summary>Deletes a topic and its data.</summary>
    DeleteTopic = 4,

    /// <summary>Changes a topic's configuration or adds partitions.</summary>
    AlterTopic = 5,

    /// <summary>A topic's configuration and the offsets and sizes of its partitions.</summary>
    DescribeTopic = 6,

    /// <summary>Appends one record batch to one partition.</summary>
    Produce = 7,

    /// <summary>Starts the delivery of one partition on this connection.</summary>
    Subscribe = 8,

    /// <summary>Stored batches, pushed by the broker.</summary>
    Deliver = 9,

    /// <summary>Lets the broker send more, in bytes.</summary>
    Credit = 10,

    /// <summary>Ends a subscription.</summary>
    Unsubscribe = 11,

    /// <summary>Finds an offset: earliest, latest or by timestamp.</summary>
    ListOffsets = 12,

    /// <summary>Gives out a producer id.</summary>
    InitProducer = 13,

    /// <summary>What this broker is and how it is set up.</summary>
    DescribeBroker = 14,

    /// <summary>Moves the log start offset forward.</summary>
    DeleteRecords = 15,

    /// <summary>Does nothing: shows that the other side lives.</summary>
    Ping = 16,

    /// <summary>The broker ended a subscription.</summary>
    SubscriptionEnded = 17,

    /// <summary>The broker is going away: finish and reconnect.</summary>
    Drain = 18,
}
