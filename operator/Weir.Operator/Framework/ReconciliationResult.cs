namespace Weir.Operator.Framework;

/// <summary>What became of one pass over an entity.</summary>
/// <typeparam name="TEntity">Its kind.</typeparam>
internal sealed record ReconciliationResult<TEntity>
{
    private ReconciliationResult(
        TEntity entity, bool isSuccess, string? errorMessage, Exception? error, TimeSpan? requeueAfter)
    {
        Entity = entity;
        IsSuccess = isSuccess;
        ErrorMessage = errorMessage;
        Error = error;
        RequeueAfter = requeueAfter;
    }

    /// <summary>The entity.</summary>
    public TEntity Entity { get; }

    /// <summary>Whether the pass did what it could.</summary>
    public bool IsSuccess { get; }

    /// <summary>Why it did not.</summary>
    public string? ErrorMessage { get; }

    /// <summary>What was thrown, if anything was.</summary>
    public Exception? Error { get; }

    /// <summary>When the entity shall be looked at again at the latest; null for the next change or resync.</summary>
    public TimeSpan? RequeueAfter { get; }

    /// <summary>The pass did what it could.</summary>
    public static ReconciliationResult<TEntity> Success(TEntity entity, TimeSpan? requeueAfter = null) =>
        new(entity, true, null, null, requeueAfter);

    /// <summary>The pass failed; without a time, the entity is tried again with a growing delay.</summary>
    public static ReconciliationResult<TEntity> Failure(
        TEntity entity, string errorMessage, Exception? error = null, TimeSpan? requeueAfter = null) =>
        new(entity, false, errorMessage, error, requeueAfter);
}
