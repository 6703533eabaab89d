namespace Weir.Protocol.Wire;

/// <summary>Bounds that both sides hold to, in bytes or elements. They are part of the protocol.</summary>
public static class ProtocolLimits
{
    /// <summary>Largest frame before a connection has authenticated, its length field included.</summary>
    public const int FrameBytesBeforeAuthentication = 16 * 1024;

    /// <summary>Largest frame that any broker may be configured to accept.</summary>
    public const int FrameBytes = 64 * 1024 * 1024;

    /// <summary>Longest topic name in bytes (all of them ASCII).</summary>
    public const int TopicNameBytes = 249;

    /// <summary>Longest short text: host names, SDK names, identifiers.</summary>
    public const int ShortStringBytes = 255;

    /// <summary>Longest text for people in an error.</summary>
    public const int ErrorTextBytes = 1024;

    /// <summary>Longest configuration value.</summary>
    public const int ConfigValueBytes = 4096;

    /// <summary>Largest proof in an authenticate request.</summary>
    public const int AuthenticationBytes = 8 * 1024;

    /// <summary>Most configuration entries in one message.</summary>
    public const int ConfigEntries = 128;

    /// <summary>Most topics that one metadata request may name.</summary>
    public const int TopicsPerRequest = 256;

    /// <summary>Most topics in one metadata reply.</summary>
    public const int TopicsPerReply = 100_000;

    /// <summary>Most partitions of one topic.</summary>
    public const int PartitionsPerTopic = 10_000;

    /// <summary>Most partitions that one request moves.</summary>
    public const int PartitionsPerReassignment = 2000;

    /// <summary>Most replicas of one partition.</summary>
    public const int ReplicasPerPartition = 32;

    /// <summary>Most brokers in one cluster.</summary>
    public const int Brokers = 1_000;

    /// <summary>Most voters of the metadata quorum.</summary>
    public const int Voters = 15;

    /// <summary>Most partitions in one request between brokers.</summary>
    public const int PartitionsPerRequest = 100_000;

    /// <summary>Most reasons in one answer to a check.</summary>
    public const int CheckReasons = 100;

    /// <summary>Most API ranges in a hello.</summary>
    public const int ApiRanges = 256;

    /// <summary>Most credit that one subscription may hold, in bytes.</summary>
    public const long SubscriptionCreditBytes = 1L << 30;

    /// <summary>Longest group name in bytes (all of them ASCII).</summary>
    public const int GroupNameBytes = 249;

    /// <summary>Most topics and patterns that one group names.</summary>
    public const int TopicsPerGroup = 256;

    /// <summary>Most groups in one reply.</summary>
    public const int GroupsPerReply = 100_000;

    /// <summary>Most members of one group.</summary>
    public const int MembersPerGroup = 10_000;

    /// <summary>Most partitions of all topics of one group.</summary>
    public const int PartitionsPerGroup = 100_000;

    /// <summary>Most settlements in one request.</summary>
    public const int SettlementsPerRequest = 100_000;

    /// <summary>Longest reason that a member gives for a rejection.</summary>
    public const int ReasonBytes = 4096;

    /// <summary>Most UTF-16 code units of such a reason that are kept.</summary>
    public const int ReasonChars = 500;

    /// <summary>Longest key that can be looked up.</summary>
    public const int KeyBytes = 32 * 1024;
}
