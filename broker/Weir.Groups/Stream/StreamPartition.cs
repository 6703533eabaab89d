using Weir.Storage;

namespace Weir.Groups.Stream;

/// <summary>A partition that a stream group consumes.</summary>
internal sealed class StreamPartition(LogIdentity identity)
{
    public LogIdentity Identity => identity;

    /// <summary>Everything below is done; null until the start is found, and before that nobody gets it.</summary>
    public long? Committed { get; set; }

    /// <summary>Who owns it, or nobody. In the log.</summary>
    public StreamMember? Owner { get; set; }

    /// <summary>Who is to own it. Not in the log: the next coordinator decides anew, and leaves things where they are.</summary>
    public StreamMember? Target { get; set; }

    /// <summary>In whose assignment it stands, as that member was told in its present epoch.</summary>
    public StreamMember? ToldTo { get; set; }

    /// <summary>Epoch of its last assignment: the fencing token.</summary>
    public int AssignmentEpoch { get; set; }

    /// <summary>End of the partition as far as it was asked for.</summary>
    public long KnownEnd { get; set; } = -1;

    /// <summary>Whether its owner may consume it: it is not asked to give it up.</summary>
    public bool IsGranted => Owner is not null && Owner == Target;
}
