namespace Weir.Replication.Partitions;

/// <summary>What this broker is to a partition.</summary>
public enum ReplicaRole
{
    /// <summary>Neither: there is no leader, or this replica is damaged.</summary>
    Idle,

    /// <summary>It appends what clients send and serves them.</summary>
    Leader,

    /// <summary>It copies the leader's log.</summary>
    Follower,
}
