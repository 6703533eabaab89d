namespace Weir.Testing.Support.History;

/// <summary>A partition as a history names it; the topic may be its name or the text of its id.</summary>
public readonly record struct PartitionId(string Topic, int Partition)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Topic}/{Partition}";
}
