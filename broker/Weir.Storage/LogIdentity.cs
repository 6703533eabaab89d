namespace Weir.Storage;

/// <summary>Which partition a log belongs to; every batch in it carries both.</summary>
/// <param name="TopicId">The topic's id.</param>
/// <param name="Partition">The partition's index.</param>
public readonly record struct LogIdentity(Guid TopicId, int Partition)
{
    /// <summary>The log's directory under its parent: from the id, never from a name that a client chose.</summary>
    public string DirectoryName => $"{TopicId:N}-{Partition}";

    /// <summary>Reads a directory name back.</summary>
    public static bool TryParse(string directoryName, out LogIdentity identity)
    {
        identity = default;
        var dash = directoryName.LastIndexOf('-');
        if (dash != 32
            || !Guid.TryParseExact(directoryName[..dash], "N", out var topicId)
            || !int.TryParse(directoryName.AsSpan(dash + 1), out var partition))
        {
            return false;
        }

        identity = new LogIdentity(topicId, partition);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => DirectoryName;
}
